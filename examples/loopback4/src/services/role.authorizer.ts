import {
  type AuthorizationContext,
  AuthorizationDecision,
  type AuthorizationMetadata,
} from '@loopback/authorization';

/** Allows a user who has one of the roles that `@authorize` names. */
export async function authorizeByRole(
  { principals }: AuthorizationContext,
  { allowedRoles = [] }: AuthorizationMetadata,
): Promise<AuthorizationDecision> {
  const roles: string[] = principals[0]?.roles ?? [];
  return allowedRoles.some((role) => roles.includes(role))
    ? AuthorizationDecision.ALLOW
    : AuthorizationDecision.DENY;
}
