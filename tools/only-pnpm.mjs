// Runs before an install: npm and yarn would ignore the workspace and write their own lockfile.
const agent = process.env.npm_config_user_agent ?? '';
if (!agent.startsWith('pnpm/')) {
  console.error('This repository is installed with pnpm:  npx --yes pnpm@12.21.0 install');
  process.exit(1);
}
