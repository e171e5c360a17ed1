/** The process of the javascript driver is this same bundle with a marker; it must not pay for loading the harness. */
if (process.argv[2] === '--javascript-child') void import('./drivers/javascript/child-main');
else void import('./run');
