/** The public types of a build, as text; of this repository unless another folder is given. */
export declare function apiReport(folder?: string): string
