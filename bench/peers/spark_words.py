"""PySpark: DataFrame of lines, split at blanks, grouped, on local threads.

No column passes through Python, which is Spark's faster way. Its `split` takes Java's regular
expressions; a single blank is split at without one. Needs Java.
"""

from __future__ import annotations

from answer import TOP, Answer, answer, main
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

DRIVER_MEMORY = "4g"


def count(paths: list[str], workers: int) -> Answer:
    spark = (
        SparkSession.builder.master(f"local[{workers}]")
        .config("spark.driver.memory", DRIVER_MEMORY)
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", str(workers * 4))
        .getOrCreate()
    )
    lines = spark.read.text(paths, lineSep="\n")
    counts = (
        lines.select(f.explode(f.split("value", " ")).alias("word"))
        .where("word <> ''")
        .groupBy("word")
        .agg(f.count("*").alias("n"))
        .cache()
    )
    distinct, total = counts.agg(f.count("*"), f.sum("n")).first()
    top = counts.orderBy(f.desc("n"), f.desc("word")).limit(TOP).collect()
    spark.stop()
    return answer(distinct, total, top)


if __name__ == "__main__":
    main(count)
