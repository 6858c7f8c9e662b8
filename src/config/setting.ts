/** The part of JSON Schema that a setting may use. */
export type SettingSchema =
  | { readonly type: 'string'; readonly minLength: 1; readonly maxLength?: number; readonly pattern?: string }
  | { readonly type: 'string'; readonly enum: readonly string[] }
  | { readonly type: 'integer'; readonly minimum: number; readonly maximum: number };

export interface Setting {
  readonly schema: SettingSchema;
  readonly default?: string | number;
  readonly required?: true;
  /** Has no key in the JSON file. */
  readonly environmentOnly?: true;
  /** What the value has to be, where the schema is no sentence: "must look like …". */
  readonly form?: string;
  /** One sentence or two for people, in Markdown. */
  readonly description: string;
  /** What the schema cannot say: why the value will not do (the message follows the setting's name), or nothing. */
  readonly check?: (value: string) => string | undefined;
}

export const text = { type: 'string', minLength: 1 } as const;
/** In the JSON file true and false, too. */
export const flag = { type: 'string', enum: ['true', 'false'] } as const;
