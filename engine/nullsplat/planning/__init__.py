"""How many workers a site needs: a simulated year of its series, priorities, hours and failures."""
