# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: a CA with its DNS, visitors, and a host with production, on network namespaces."""
