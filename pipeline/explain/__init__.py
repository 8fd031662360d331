"""Why an object, or a pair, is as it is: read from one partition of each topic, judged by the rows' own rules."""
