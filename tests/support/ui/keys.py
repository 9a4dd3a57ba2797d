"""Keys as WebDriver writes them, so that test modules can be collected where selenium is not installed.

Source: W3C WebDriver, 17.4.2 (keyboard actions), normalised key values.
"""


class Keys:
    """The keys that the tests press."""

    TAB, ENTER, ESCAPE, SPACE = "\ue004", "\ue007", "\ue00c", "\ue00d"
    END, HOME, ARROW_UP, ARROW_RIGHT, ARROW_DOWN = "\ue010", "\ue011", "\ue013", "\ue014", "\ue015"
