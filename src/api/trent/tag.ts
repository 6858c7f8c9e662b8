import type { Tag } from '../../kms/key';

/** A tag as the API has it. */
interface TagMember {
  readonly TagKey: string;
  readonly TagValue: string;
}

export const tagOf = ({ TagKey, TagValue }: TagMember): Tag => ({ name: TagKey, value: TagValue });

export const tagMember = ({ name, value }: Tag): TagMember => ({ TagKey: name, TagValue: value });
