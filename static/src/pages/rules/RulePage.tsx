import type { ReactNode } from 'react';
export default function RulePage(): ReactNode { return null; }
