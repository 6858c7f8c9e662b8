/**
 * A jest reporter whose line, `N passed, N failed` (and `, N skipped` where there are any), is the last that
 * the run prints. A file that could not be run at all counts as one failed test.
 */
module.exports = class SummaryReporter {
  onRunComplete(_contexts, results) {
    const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites, numPendingTests, numTodoTests } =
      results;
    const failed = numFailedTests + numRuntimeErrorTestSuites;
    const skipped = numPendingTests + numTodoTests;
    const line = `${numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`;
    // Jest's own summary comes after this method, so the line waits for the very end; nothing asynchronous
    // would be written by then.
    process.once('exit', () => require('node:fs').writeSync(process.stdout.fd, line));
  }
};
