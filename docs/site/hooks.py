"""What MkDocs does beside its own: the pages of the schemas, and files of the repository's root as pages."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]

FROM_ROOT = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages that lie in the root of the repository, where people look for them, and their names in the site."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is not written in ``docs/``."""
    from mkdocs.structure.files import File

    sys.path.append(str(Path(__file__).parent))  # MkDocs sets it back after it has read the hooks
    from schema_pages import schema_pages

    pages = {f"schemas/{name}.md": text for name, text in schema_pages(ROOT / "schemas").items()}
    pages |= {name: (ROOT / source).read_text("utf-8") for source, name in FROM_ROOT.items()}
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links that leave ``docs/`` lead to the page of the site instead, or are words where there is none."""
    up = "../" * page.file.src_uri.count("/")
    markdown = markdown.replace(f"]({up}../schemas)", f"]({up}schemas/index.md)")
    for source, name in FROM_ROOT.items():
        markdown = markdown.replace(f"]({up}../{source})", f"]({up}{name})")
    if page.file.src_uri in FROM_ROOT.values():
        markdown = re.sub(r"\]\(docs/", "](", markdown)
    return re.sub(rf"\[([^\]]+)\]\({re.escape(up)}\.\./[^)]+\)", r"\1", markdown)
