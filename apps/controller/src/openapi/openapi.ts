import { type INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { cleanupOpenApiDoc } from 'nestjs-zod';
import { VERSION } from '../health/version';
import { addErrorAnswers } from './error-answers';

const PATH = 'api-docs';

/** The description of every route of the application. */
function openApiDocument(app: INestApplication): OpenAPIObject {
  const base = new DocumentBuilder()
    .setTitle('Reins')
    .setDescription('A controller for coding-agent harnesses')
    .setVersion(VERSION)
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'A token or an API key' })
    .addApiKey(
      { type: 'apiKey', in: 'query', name: 'access_token', description: 'A viewer token, where headers cannot be set' },
      'viewerToken',
    )
    .addSecurityRequirements('bearer')
    .build();
  return addErrorAnswers(cleanupOpenApiDoc(SwaggerModule.createDocument(app, base)));
}

/** Serves the description at /api-docs/openapi.json and a page to read it at /api-docs. */
export function setupOpenApi(app: INestApplication): void {
  SwaggerModule.setup(PATH, app, () => openApiDocument(app), { jsonDocumentUrl: `${PATH}/openapi.json` });
}
