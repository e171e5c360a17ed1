import { childProgram } from './drivers/child-programs';

const program = childProgram(process.argv[2]) ?? (() => import('./run'));
void program();
