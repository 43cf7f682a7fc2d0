import type { ReactNode } from 'react';
export default function Rules(): ReactNode { return null; }
