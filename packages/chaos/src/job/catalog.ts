/** Takes the place of the generated catalog in the programs that `build.ts` makes. */
import { definition } from "./contract.ts";

export const catalog = { chaos: definition };
