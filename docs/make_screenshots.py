"""Make docs/images/explorer.png from a page that ``pellucid explore RUN --save PAGE`` wrote.

python docs/make_screenshots.py page.html
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

TARGET = Path(__file__).parent / "images" / "explorer.png"


def main(saved_page: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        page = browser.new_page(viewport={"width": 1280, "height": 1000}, color_scheme="light")
        page.goto(Path(saved_page).absolute().as_uri())
        page.wait_for_selector(".check")
        page.screenshot(path=TARGET)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
