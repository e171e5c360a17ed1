/** The controller does not let this harness register; the message is one plain sentence for the person who runs it. */
export class EnrollmentRefused extends Error {
  override readonly name = 'EnrollmentRefused';
}
