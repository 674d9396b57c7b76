"""The database below the models: engines, drivers, SQL by hand, time limits, and the columns that models share."""
