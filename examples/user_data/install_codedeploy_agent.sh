#!/bin/sh
# User data for servers whose image was baked with codedeploy_agent_install: launch.
set -eu

# Whatever the server needs before its first deployment goes here.

# The agent whose version and checksum the image has pinned. If this fails the server stays out of service, /status says why, and
# goldfleet-install-codedeploy-agent.service tries again once this script has ended, and at each boot.
/usr/local/sbin/goldfleet-install-codedeploy-agent || echo "The CodeDeploy agent is not there yet; its service goes on trying."
