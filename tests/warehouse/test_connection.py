# ruff: noqa: S608 - queries over literals make the tables of these tests
from __future__ import annotations

import os
import pwd
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from gtm_orchestra.config import SourceSettings
from gtm_orchestra.errors import SourceError
from gtm_orchestra.warehouse.connection import Warehouse, open_warehouse

if TYPE_CHECKING:
    from tests.warehouse.conftest import Company

VARIABLE = "SHOP_PASSWORD"


def _open(root: Path, url: str = "data") -> Warehouse:
    return open_warehouse(SourceSettings(url=url), root, {})


def _refused(root: Path, table: str | None = None, url: str = "data") -> str:
    with pytest.raises(SourceError) as caught, _open(root, url) as warehouse:
        warehouse.table(table or "people")
    return str(caught.value)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def test_files_and_folders_are_tables(data: Path) -> None:
    (data / "people.csv").write_text("id;postcode\n1;01234\n2;99999\n")
    (data / "orders").mkdir()
    for month in ("01", "02"):
        (data / "orders" / f"{month}.csv").write_text(f"id,at\n{month},2026-{month}-01T10:00:00Z\n")
    (data / ".hidden.csv").write_text("a\n")
    (data / "notes.txt").write_text("no table")
    with _open(data.parent) as warehouse:
        assert warehouse.table_names() == ("orders", "people")
        assert warehouse.rows(warehouse.table("people")) == [
            {"id": 1, "postcode": "01234"},
            {"id": 2, "postcode": "99999"},
        ]
        assert warehouse.rows(warehouse.table("orders").count().as_table()) == [{"CountStar(orders)": 2}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "id,email\n1,a@example.com\n2,b@example.com,c,d\n3\n",
            (
                "people.csv has 2 broken rows (lines 3, 4): not the columns of the header; "
                "mend or remove them, or export the file again"
            ),
        ),
        (
            'id,email\n1,"a@example.com\n2,b@example.com\n',
            (
                "people.csv has 1 broken row (line 2): not the columns of the header; "
                "mend or remove them, or export the file again"
            ),
        ),
        ("", "people.csv in 'data' is empty; export it again, or remove it"),
    ],
)
def test_a_broken_csv_file_names_the_file_and_the_line_but_no_value(
    data: Path, text: str, message: str
) -> None:
    (data / "people.csv").write_text(text)
    assert _refused(data.parent) == message


def test_a_file_that_is_no_parquet_says_so(data: Path) -> None:
    (data / "people.parquet").write_bytes(b"PAR1 and then something else")
    assert _refused(data.parent) == (
        "people.parquet cannot be read as Parquet; export it again: it is damaged or something else"
    )


def test_a_file_in_another_encoding_says_so(data: Path) -> None:
    (data / "people.csv").write_bytes("id,name\n1,Jürgen\n".encode("latin-1"))
    assert _refused(data.parent) == (
        "people.csv cannot be read as CSV; export it again as comma-separated text in UTF-8"
    )


def test_a_source_that_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    assert _refused(tmp_path, url="nowhere") == (
        f"the source 'nowhere' does not exist (looked for {str(tmp_path / 'nowhere')!r}); "
        "mend source.url in gtm.toml: a folder of Parquet or CSV files, a DuckDB file, or a URL"
    )


def test_a_folder_without_data_says_so(data: Path) -> None:
    assert _refused(data.parent) == "'data' holds no .parquet or .csv file; mend source.url in gtm.toml"


def test_two_files_of_one_name_are_refused(data: Path) -> None:
    (data / "people.csv").write_text("id\n1\n")
    (data / "people.tsv").write_text("id\n1\n")
    assert _refused(data.parent) == "'data' has two tables named 'people'; rename one of the files"


def test_a_table_that_is_not_there_is_looked_for_under_close_names(data: Path) -> None:
    (data / "contacts.csv").write_text("id\n1\n")
    assert _refused(data.parent, "contact") == (
        "table 'contact' is not in 'data'; tables there: contacts; "
        "did it become 'contacts'? mend 'table' in gtm.toml, or run 'gtm init' again"
    )


def test_a_file_that_this_user_may_not_read_is_named() -> None:
    # pytest's own folders are closed to the user as whom root asks: root itself may read everything.
    with tempfile.TemporaryDirectory(prefix="gtm-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        file = folder / "people.csv"
        file.write_text("id\n1\n")
        file.chmod(0)
        root = os.geteuid() == 0
        try:
            if root:
                os.seteuid(pwd.getpwnam("nobody").pw_uid)
            refusal = _refused(folder, url=name)
        finally:
            if root:
                os.seteuid(0)
    assert (
        refusal == f"{str(file)!r} may not be read by this user; grant read permission, or run as its owner"
    )


def test_a_duckdb_file_is_read_in_place(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as con:
        con.execute("CREATE TABLE people AS SELECT 1 AS id")
    with _open(tmp_path, "shop.duckdb") as warehouse:
        assert warehouse.rows(warehouse.table("people")) == [{"id": 1}]
        assert warehouse.rows(warehouse.sql("SELECT id AS n FROM people")) == [{"n": 1}]
        with pytest.raises(duckdb.Error, match="read-only"):
            warehouse.con.raw_sql("INSERT INTO source.main.people VALUES (2)")


def test_a_file_that_is_no_duckdb_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_bytes(b"SQLite format 3\0" + bytes(5_000))
    assert _refused(tmp_path, url="shop.db") == (
        "'shop.db' cannot be read as a DuckDB file; name a DuckDB file, or a folder of Parquet or CSV"
    )


def test_the_engine_reaches_nothing_outside_the_source(company: Company) -> None:
    company.write()
    (company.root / "secret.csv").write_text("a\n1\n")
    with _open(company.root) as warehouse:
        for statement in (
            f"SELECT * FROM read_csv('{company.root}/secret.csv')",
            f"COPY (SELECT 1) TO '{company.root}/out.csv'",
            "SET enable_external_access = true",
            "INSTALL httpfs",
        ):
            with pytest.raises(duckdb.Error):
                warehouse.con.raw_sql(statement)


def test_nothing_is_left_on_the_disk_after_closing(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    company.write()
    spill = company.root / "spill"
    spill.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spill))
    with _open(company.root) as warehouse:
        assert [path.name[:10] for path in spill.iterdir()] == ["gtm-spill-"]
    assert list(spill.iterdir()) == []
    warehouse.close()


@pytest.mark.parametrize(
    "query", ["DROP TABLE people", "SELECT 1; SELECT 2", "SELEC", "COPY people TO 'x.csv'"]
)
def test_a_query_of_gtm_toml_may_only_select(company: Company, query: str) -> None:
    company.write()
    with _open(company.root) as warehouse, pytest.raises(SourceError) as caught:
        warehouse.sql(query)
    assert str(caught.value) == (
        "a query in gtm.toml is not one SELECT; write a single SELECT that changes nothing"
    )


def test_an_error_of_the_engine_quotes_no_value(company: Company) -> None:
    company.write()
    with _open(company.root) as warehouse, pytest.raises(SourceError) as caught:
        warehouse.to_arrow(warehouse.table("people").email.cast("int64").as_table())
    assert str(caught.value) == (
        "'data' cannot be read (ConversionException); check that the source is whole and mapped right in "
        "gtm.toml"
    )


def test_a_missing_password_variable_is_named(tmp_path: Path) -> None:
    source = SourceSettings(url="postgresql://gtm@127.0.0.1:1/x", password_env=VARIABLE)
    with pytest.raises(SourceError) as caught:
        open_warehouse(source, tmp_path, {})
    assert str(caught.value) == (
        "source.password_env names 'SHOP_PASSWORD', which is not set in this environment; "
        "set SHOP_PASSWORD to the database password, or mend [source] in gtm.toml"
    )


def test_a_database_that_does_not_answer_says_so_without_the_password(tmp_path: Path) -> None:
    source = SourceSettings(url="postgresql://gtm@127.0.0.1:1/x", password_env=VARIABLE)
    with pytest.raises(SourceError) as caught:
        open_warehouse(source, tmp_path, {"SHOP_PASSWORD": "correct horse"})
    assert str(caught.value) == (
        "PostgreSQL database 'x' at 127.0.0.1:1 does not answer; "
        "check host and port in source.url, and that it is up"
    )
