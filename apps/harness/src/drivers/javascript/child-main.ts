import { isMainThread } from 'node:worker_threads';
import { runChild } from './child';
import { runWatchdog } from './watchdog';

/** Both threads of the child process start here: the main thread runs the code, the worker watches over its limits. */
if (isMainThread) runChild();
else runWatchdog();
