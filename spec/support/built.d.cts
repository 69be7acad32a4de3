/** The built file of an inner module, by the alias that specs know it by; of another build if its folder is given. */
export declare function built(alias: string, folder?: string): string
