import { type SkillView } from '@reins/shared/api/definitions';
import { type SkillDocument } from './skill.schema';

export function toSkillView(skill: SkillDocument): SkillView {
  const { _id, orgId: _orgId, createdAt, updatedAt, ...fields } = skill;
  return { id: _id, ...fields, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() };
}
