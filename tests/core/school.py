"""A school whose tables have keys of several columns, text keys, a column that is computed, and a view."""

from decimal import Decimal

from flask import Blueprint
from sqlalchemy import Column
from sqlalchemy import Computed
from sqlalchemy import ForeignKey
from sqlalchemy import Integer
from sqlalchemy import MetaData
from sqlalchemy import String
from sqlalchemy import Table
from sqlalchemy import text
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from core.data.models import Money
from core.data.models import Versioned
from core.data.models import exact
from core.resources import Resource
from services import NAMING_CONVENTION

bp = Blueprint("school", __name__, url_prefix="/school")


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Course(Base):
    """Course that may need another one."""

    __tablename__ = "school_course"

    code: Mapped[str] = mapped_column(exact(10), primary_key=True)
    title: Mapped[str] = mapped_column(String(80), index=True)
    needs_code: Mapped[str | None] = mapped_column(exact(10), ForeignKey("school_course.code"), index=True)
    needs: Mapped["Course | None"] = relationship(remote_side=[code])
    enrolments: Mapped[list["Enrolment"]] = relationship(back_populates="course")

    def __str__(self) -> str:
        return self.title


class Student(Base):
    __tablename__ = "school_student"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), index=True)
    enrolments: Mapped[list["Enrolment"]] = relationship(back_populates="student")

    def __str__(self) -> str:
        return self.name


class Enrolment(Versioned, Base):
    """Association of a student with a course, with columns of its own."""

    __tablename__ = "school_enrolment"

    student_id: Mapped[int] = mapped_column(ForeignKey(Student.id), primary_key=True)
    student: Mapped[Student] = relationship(back_populates="enrolments")
    course_code: Mapped[str] = mapped_column(exact(10), ForeignKey(Course.code), primary_key=True, index=True)
    course: Mapped[Course] = relationship(back_populates="enrolments")
    grade: Mapped[int | None] = mapped_column(info={"min": 1, "max": 10})

    def __str__(self) -> str:
        return f"{self.student} in {self.course}"


class Fee(Base):
    """Fee with a total that the database computes."""

    __tablename__ = "school_fee"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(exact(40), primary_key=True)
    net: Mapped[Decimal] = mapped_column(Money(10, 2))
    tax: Mapped[Decimal] = mapped_column(Money(10, 2))
    total: Mapped[Decimal] = mapped_column(Money(10, 2), Computed("net + tax", persisted=True))

    def __str__(self) -> str:
        return f"{self.name} {self.year}"


class CourseSize(Base):
    """View that counts the students of each course."""

    __table__ = Table(
        "school_course_size",
        Base.metadata,
        Column("course_code", exact(10), primary_key=True),
        Column("students", Integer, nullable=False),
        info={"is_view": True},
    )
    course_code: Mapped[str]
    students: Mapped[int]

    def __str__(self) -> str:
        return self.course_code


CREATE_VIEW = text(
    "CREATE VIEW school_course_size AS "
    "SELECT course_code, count(*) AS students FROM school_enrolment GROUP BY course_code"
)


class Courses(Resource):
    model = Course


class Students(Resource):
    model = Student


class Enrolments(Resource):
    model = Enrolment


class Fees(Resource):
    model = Fee


class CourseSizes(Resource):
    model = CourseSize


for resource in (Courses, Students, Enrolments, Fees, CourseSizes):
    resource.register(bp)
