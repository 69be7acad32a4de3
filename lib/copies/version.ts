/** The version in package.json: in a bundle that file is not there to be read. */
export const VERSION = '0.1.0'
