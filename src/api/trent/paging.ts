import type { Page } from '../../kms/page';

interface PageRequest {
  readonly Limit?: number;
  readonly Marker?: string;
}

/** The page that a request asks for. */
export const pageRequest = ({ Limit, Marker }: PageRequest, defaultLimit: number) => ({
  limit: Limit ?? defaultLimit,
  ...(Marker !== undefined && { marker: Marker }),
});

/** Where the next page starts, if there is one. */
export const pageAnswer = ({ nextMarker }: Page<unknown>) =>
  nextMarker === undefined ? { Truncated: false } : { Truncated: true, NextMarker: nextMarker };
