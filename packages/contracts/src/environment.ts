/** The variables of an environment that say something: an empty one (`WHITTLE_KEY=`) counts as absent. */
export function presentVariables(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
}
