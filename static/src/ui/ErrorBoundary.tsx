import { Component, type ReactNode } from 'react';
import { Icon } from './icons';

interface ErrorBoundaryProps {
  readonly children: ReactNode;
}

interface ErrorBoundaryState {
  readonly error: Error | null;
}

/**
 * Keeps the failure of one page from taking the console down. The usual cause is a page of an older console that a
 * newer hub no longer serves, which loading again mends.
 */
export class ErrorBoundary extends Component<ErrorBoundaryProps, ErrorBoundaryState> {
  override state: ErrorBoundaryState = { error: null };

  static getDerivedStateFromError(error: Error): ErrorBoundaryState {
    return { error };
  }

  override render(): ReactNode {
    if (this.state.error === null) return this.props.children;
    return (
      <div className="failure" role="alert">
        <Icon name="warning" />
        <p>This page could not be shown: {this.state.error.message}</p>
        <button type="button" onClick={() => location.reload()}>Load again</button>
      </div>
    );
  }
}
