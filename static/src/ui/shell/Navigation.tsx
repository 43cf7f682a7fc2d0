import type { ReactNode } from 'react';
import { NavLink, useSearchParams } from 'react-router';
import { Icon } from '../icons';
import { PAGES } from './pages';

/** Links to the pages. The time range goes along, the filters of a page do not. */
export function Navigation({ onNavigate }: { readonly onNavigate?: () => void }): ReactNode {
  const [parameters] = useSearchParams();
  const range = parameters.get('range');
  const search = range === null ? '' : `?range=${range}`;
  return (
    <nav aria-label="Pages">
      <ul className="nav">
        {PAGES.map((page) => (
          <li key={page.path}>
            <NavLink to={{ pathname: page.path, search }} end={page.path === '/'} onClick={onNavigate}>
              <Icon name={page.icon} size={18} />
              <span>{page.label}</span>
            </NavLink>
          </li>
        ))}
      </ul>
    </nav>
  );
}
