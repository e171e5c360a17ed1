import { z } from 'zod';
import { BranchName, Name } from './common';
import { LAUNCHER_NAMES, Placement } from './placement';
import { PodSettings } from './pods';

/** Kinds of agent a worker may be. */
export const CLI_TYPES = ['claude-code', 'codex', 'gemini', 'opencode', 'acp', 'javascript', 'functions'] as const;
export type CliType = (typeof CLI_TYPES)[number];

const description = z.string().max(2000);
const repositoryUrl = z.string().min(1).max(2000);

export const CreateRuntime = z.object({
  name: Name,
  description: description.optional(),
  /** Image the sessions run in unless `vwImage` is given. */
  baseImage: z.string().min(1).max(500),
  /** Image with the harness and the CLIs already in it. */
  vwImage: z.string().min(1).max(500).optional(),
  tags: z.array(z.string().max(100)).max(50).default([]),
  /** Pods kept started ahead, for sessions in a cluster whose workers change nothing about how pods are made. */
  warmPods: z.number().int().min(0).max(200).default(0),
});
export type CreateRuntime = z.infer<typeof CreateRuntime>;

export const UpdateRuntime = CreateRuntime.extend({
  tags: z.array(z.string().max(100)).max(50),
  warmPods: CreateRuntime.shape.warmPods.unwrap(),
}).partial();
export type UpdateRuntime = z.infer<typeof UpdateRuntime>;

/** The pods started ahead for a runtime. */
export interface WarmPoolView {
  /** As many as there should be. */
  size: number;
  /** Wait for a session. */
  ready: number;
  starting: number;
  /** Why the last one did not start; null once one did. */
  lastError: { code: string; message: string; at: string } | null;
}

export interface RuntimeView extends CreateRuntime {
  id: string;
  /** Told of one runtime, not in lists. */
  warmPool?: WarmPoolView;
  createdAt: string;
  updatedAt: string;
}

export const ModelConfig = z.object({
  provider: z.string().max(100).optional(),
  model: z.string().max(200).optional(),
  temperature: z.number().min(0).max(2).optional(),
  maxTokens: z.number().int().min(1).optional(),
});
export type ModelConfig = z.infer<typeof ModelConfig>;

const workerFields = z.object({
  name: Name,
  description: description.optional(),
  runtimeId: z.string().min(1).max(64),
  cliType: z.enum(CLI_TYPES),
  /** Instructions of this worker, written under the file name its CLI reads. */
  agentMd: z.string().max(500_000).optional(),
  modelConfig: ModelConfig.optional(),
  mcpServers: z
    .array(z.object({ name: Name, url: z.url() }))
    .max(50)
    .optional(),
  /** Repository with what the worker has learnt. */
  workerRepoUrl: repositoryUrl.optional(),
  workerRepoBranch: BranchName,
  autoLearn: z.boolean(),
  /** Longest life of a session in seconds. */
  timeout: z
    .number()
    .int()
    .min(1)
    .max(30 * 86_400),
  /** Where its sessions run unless they say so themselves; without it LAUNCHER decides. */
  launcher: z.enum(LAUNCHER_NAMES).optional(),
  /** How a host is chosen for its sessions; alone it means the launcher `external`. */
  placement: Placement.optional(),
  /** How its pods are made, where its sessions run in a cluster; what it leaves out comes from KUBERNETES_POD. */
  pod: PodSettings.optional(),
});

export const CreateWorker = workerFields.extend({
  workerRepoBranch: BranchName.default('main'),
  autoLearn: z.boolean().default(false),
  timeout: workerFields.shape.timeout.default(3600),
});
export type CreateWorker = z.infer<typeof CreateWorker>;

export const UpdateWorker = workerFields.partial();
export type UpdateWorker = z.infer<typeof UpdateWorker>;

export interface WorkerView extends CreateWorker {
  id: string;
  skills: string[];
  createdAt: string;
  updatedAt: string;
}

const SEMVER = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;

/** Query flags arrive as text. */
const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((value) => value === 'true')]);

/** Metadata of a skill; the package itself is uploaded apart from it. */
export const SkillMetadata = z.object({
  name: Name,
  version: z.string().max(64).regex(SEMVER, 'must be a semantic version such as 1.0.0'),
  description: description.optional(),
  /** Folder below the workspace the package is extracted into. */
  targetPath: z
    .string()
    .max(500)
    .refine((path) => !path.startsWith('/') && !path.split(/[\\/]/).includes('..'), 'must stay inside the workspace')
    .default('.'),
  isSystem: flag.default(false),
  defaultInclude: flag.default(false),
});
export type SkillMetadata = z.infer<typeof SkillMetadata>;

/** What may be changed without a new package. */
export const UpdateSkill = SkillMetadata.extend({
  targetPath: SkillMetadata.shape.targetPath.unwrap(),
  isSystem: z.boolean(),
  defaultInclude: z.boolean(),
}).partial();
export type UpdateSkill = z.infer<typeof UpdateSkill>;

export interface SkillView extends SkillMetadata {
  id: string;
  sha256: string;
  sizeBytes: number;
  createdAt: string;
  updatedAt: string;
}

/** Global text put before every worker's own instructions. */
export const SystemInstructions = z.object({ content: z.string().max(500_000) });
export type SystemInstructions = z.infer<typeof SystemInstructions>;

/** One version of the text; 0 is the empty one before the first edit. */
export interface SystemInstructionsView {
  content: string;
  version: number;
  updatedAt: string | null;
  updatedBy: string | null;
}
