"""The types of Flask-Principal, which ships none: the name that is used here."""

from blinker import NamedSignal

identity_changed: NamedSignal
