import { useId, type ReactNode } from 'react';

interface FieldProps {
  readonly label: string;
  readonly error?: string | undefined;
  readonly children: (ids: { 'aria-invalid': boolean | undefined; 'aria-describedby': string | undefined }) => ReactNode;
}

/** A labelled control, with what is wrong with it below. */
export function Field({ label, error, children }: FieldProps): ReactNode {
  const error_id = useId();
  const wrong = error !== undefined;
  return (
    <label className="field">
      <span>{label}</span>
      {children({ 'aria-invalid': wrong || undefined, 'aria-describedby': wrong ? error_id : undefined })}
      {wrong && <span id={error_id} className="field-error">{error}</span>}
    </label>
  );
}
