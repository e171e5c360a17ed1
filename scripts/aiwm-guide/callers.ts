import { JwtService } from '@nestjs/jwt';
import { newObjectId } from '@reins/shared/ids';

export interface Answer {
  status: number;
  body: Record<string, unknown>;
}

export type Role = 'admin' | 'viewer' | 'stranger' | 'nobody';

/** The people of the guide: an administrator, a viewer of the same organisation, an administrator of another one. */
export class Callers {
  private readonly tokens: Partial<Record<Role, string>>;

  constructor(
    private readonly url: string,
    jwtSecret: string,
  ) {
    const jwt = new JwtService({ secret: jwtSecret });
    const token = (name: string, role: string, orgId: string) =>
      jwt.sign({ sub: name, username: name, roles: [role], orgId }, { expiresIn: 600 });
    const [own, other] = [newObjectId(), newObjectId()];
    this.tokens = {
      admin: token('guide-admin', 'organization.owner', own),
      viewer: token('guide-viewer', 'organization.viewer', own),
      stranger: token('guide-stranger', 'organization.owner', other),
    };
  }

  call(who: Role, method: string, path: string, body?: object): Promise<Answer> {
    return this.callWith(this.tokens[who], method, path, body);
  }

  async callWith(token: string | undefined, method: string, path: string, body?: object): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  }
}
