/**
 * Something that is done with room for its record held meanwhile. Says whether it did anything; it is recorded then.
 *
 * @param record has it recorded already: before the step after which nobody would know that it was left to be done
 */
export type RecordedWork = (record: () => Promise<void>) => Promise<boolean>;

/** Does such work on a key, and has it recorded. */
export type DoRecorded = (keyId: string, work: RecordedWork) => Promise<boolean>;
