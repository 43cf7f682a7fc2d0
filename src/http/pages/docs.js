// Shows /api/openapi.json as a list of operations. No library, no inline script: the hub's CSP allows neither.
'use strict';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

/** An element with text or children. Text is set as text, so nothing in the document can become markup. */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function schemaName(schema) {
  if (!schema) return '';
  if (schema.$ref) return schema.$ref.split('/').pop();
  if (schema.oneOf) return schema.oneOf.map(schemaName).join(' or ');
  if (schema.type === 'array') return `list of ${schemaName(schema.items)}`;
  return [schema.type].flat().filter(Boolean).join(' or ');
}

/** An example value of a schema; a type inside itself is shown once. */
function example(schema, schemas, seen = []) {
  if (!schema || seen.length > 8) return null;
  if (schema.$ref) {
    const name = schema.$ref.split('/').pop();
    return seen.includes(name) ? {} : example(schemas[name], schemas, [...seen, name]);
  }
  if (schema.example !== undefined) return schema.example;
  if (schema.enum) return schema.enum[0];
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return example(choices.find((choice) => choice.type !== 'null'), schemas, seen);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((part) => example(part, schemas, seen)));
  const type = [schema.type].flat().find((one) => one !== 'null');
  if (type === 'object' || schema.properties) {
    const entries = Object.entries(schema.properties ?? {});
    if (schema.additionalProperties) entries.push(['name', schema.additionalProperties]);
    return Object.fromEntries(entries.map(([name, part]) => [name, example(part, schemas, seen)]));
  }
  if (type === 'array') return [example(schema.items, schemas, seen)];
  return { string: 'text', integer: 0, number: 0.5, boolean: true }[type] ?? null;
}

function table(head, rows) {
  const cells = (kind, row) => element('tr', {}, ...row.map((text) => element(kind, {}, text)));
  return element('table', {}, element('thead', {}, cells('th', head)), element('tbody', {}, ...rows.map((row) => cells('td', row))));
}

function content(media, schemas) {
  return Object.entries(media ?? {}).flatMap(([type, { schema }]) => {
    const shown = type.endsWith('json') ? [element('pre', {}, JSON.stringify(example(schema, schemas), null, 2))] : [];
    return [element('p', {}, element('code', {}, type), ` ${schemaName(schema)}`), ...shown];
  });
}

function operationDetails(path, method, operation, schemas) {
  const isOpen = (operation.security ?? []).some((one) => Object.keys(one).length === 0);
  const parts = [];
  if (operation.description) parts.push(element('p', {}, operation.description));
  if (operation.parameters?.length) {
    const rows = operation.parameters.map((p) => [p.name, p.in, schemaName(p.schema), p.description ?? '']);
    parts.push(element('h3', {}, 'Parameters'), table(['name', 'in', 'type', 'meaning'], rows));
  }
  if (operation.requestBody) parts.push(element('h3', {}, 'Body'), ...content(operation.requestBody.content, schemas));
  parts.push(element('h3', {}, 'Answers'));
  for (const [status, answer] of Object.entries(operation.responses ?? {})) {
    parts.push(element('p', {}, element('strong', {}, status), ` ${answer.description ?? ''}`), ...content(answer.content, schemas));
  }
  const summary = element(
    'summary', {},
    element('span', { class: 'method' }, method.toUpperCase()),
    element('span', { class: 'path' }, path),
    element('span', {}, operation.summary ?? ''),
    ...(isOpen ? [element('span', { class: 'open' }, 'no token')] : []),
  );
  return element('details', {}, summary, ...parts);
}

function show(api) {
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((one) => item[one])) {
      const group = item[method].tags?.[0] ?? 'other';
      if (!groups.has(group)) groups.set(group, element('section', {}, element('h2', {}, group)));
      groups.get(group).append(operationDetails(path, method, item[method], api.components?.schemas ?? {}));
    }
  }
  document.getElementById('about').prepend(`Version ${api.info.version}. `);
  document.getElementById('operations').replaceChildren(...groups.values());
}

function filter(words) {
  for (const section of document.querySelectorAll('section')) {
    let hasMatch = false;
    for (const details of section.querySelectorAll('details')) {
      details.hidden = !details.firstChild.textContent.toLowerCase().includes(words.toLowerCase());
      hasMatch ||= !details.hidden;
    }
    section.hidden = !hasMatch;
  }
}

document.getElementById('filter').addEventListener('input', (event) => filter(event.target.value));
fetch('/api/openapi.json')
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`status ${answer.status}`))))
  .then(show)
  .catch((error) => {
    document.getElementById('operations').textContent = `The document could not be loaded: ${error.message}`;
  });
