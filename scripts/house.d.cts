export interface Import {
  from: string
  target: string
  typeOnly: boolean
}
export interface House {
  files: number
  folders: [name: string, files: number][]
  circles: string[][]
  circlesInFolders: { folder: string; circle: string[] }[]
  longest: [lines: number, file: string][]
}
/** The structure of the sources in numbers. */
export declare function house(): House
/** What a file imports, exports again, or requires. */
export declare function importsOf(file: string): Import[]
/** The TypeScript files of a folder, however deep, by their paths from the repository. */
export declare function sourcesOf(folder: string): string[]
