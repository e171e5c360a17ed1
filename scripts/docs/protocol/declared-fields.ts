import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { type Field, mergeVariants } from './fields';

/** Fields of the interfaces and type aliases in a source file, by name. References to other types are not followed. */
export function declaredFields(file: string): Map<string, Field[]> {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const found = new Map<string, Field[]>();
  for (const statement of source.statements) {
    if (ts.isInterfaceDeclaration(statement)) found.set(statement.name.text, ofMembers(statement.members, ''));
    if (ts.isTypeAliasDeclaration(statement)) found.set(statement.name.text, ofType(statement.type, ''));
  }
  return found;
}

/** Bodies of an interface whose members are functions of one body, by member. */
export function declaredBodies(file: string, interfaceName: string): Map<string, Field[]> {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const found = new Map<string, Field[]>();
  for (const statement of source.statements) {
    if (!ts.isInterfaceDeclaration(statement) || statement.name.text !== interfaceName) continue;
    for (const member of statement.members) {
      if (!ts.isPropertySignature(member) || member.type === undefined || !ts.isFunctionTypeNode(member.type)) continue;
      const body = member.type.parameters[0]?.type;
      found.set(member.name.getText(), body === undefined ? [] : ofType(body, ''));
    }
  }
  return found;
}

function ofType(type: ts.TypeNode, prefix: string): Field[] {
  if (ts.isParenthesizedTypeNode(type)) return ofType(type.type, prefix);
  if (ts.isArrayTypeNode(type)) return ofType(type.elementType, `${prefix}[]`);
  if (ts.isUnionTypeNode(type)) return mergeVariants(type.types.map((variant) => ofType(variant, prefix)));
  return ts.isTypeLiteralNode(type) ? ofMembers(type.members, prefix) : [];
}

function ofMembers(members: ts.NodeArray<ts.TypeElement>, prefix: string): Field[] {
  return members.flatMap((member) => {
    if (!ts.isPropertySignature(member)) return [];
    const name = member.name.getText();
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const below = member.type === undefined ? [] : ofType(member.type, path);
    return [{ path, optional: member.questionToken !== undefined }, ...below];
  });
}
