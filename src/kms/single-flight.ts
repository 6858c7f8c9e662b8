/** Does the work of a name, unless it is being done: then waits for that, and has its outcome. */
export type SingleFlight = <T>(name: string, work: () => Promise<T>) => Promise<void>;

export function createSingleFlight(): SingleFlight {
  const flying = new Map<string, Promise<unknown>>();
  return async (name, work) => {
    const flight = flying.get(name) ?? work().finally(() => flying.delete(name));
    flying.set(name, flight);
    await flight;
  };
}
