/** What begins the label of every object of a store on its token. Labels are for people; CKA_ID is what finds. */
export const labelPrefix = (storeId: string): string => `p11kms/${storeId}/`;
