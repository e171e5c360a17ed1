import packageJson from '../../../../package.json';

export const SERVICE = 'reins-controller';
export const VERSION: string = packageJson.version;
