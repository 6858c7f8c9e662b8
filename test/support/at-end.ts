type CleanUp = () => void | Promise<void>;

const cleanUps: CleanUp[] = [];

/** Cleans up when the test file ends, whether its tests passed or not: what was made last goes first. */
export function atEnd(cleanUp: CleanUp): void {
  cleanUps.push(cleanUp);
}

afterAll(async () => {
  const failures: unknown[] = [];
  for (const cleanUp of cleanUps.splice(0).reverse()) {
    try {
      await cleanUp();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'cleaning up failed');
});
