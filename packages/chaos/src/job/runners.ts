/** Takes the place of the generated runners in the programs that `build.ts` makes. */
export const runners = { chaos: () => import("./run.ts") };
