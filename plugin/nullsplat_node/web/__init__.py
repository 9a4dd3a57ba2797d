# SPDX-License-Identifier: AGPL-3.0-or-later
"""The plugin's routes, its pages and the viewer's."""
