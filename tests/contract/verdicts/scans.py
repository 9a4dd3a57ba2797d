"""Rows about whether the slices come from one acquisition."""

from tests.contract.verdicts.table import Row, each, every, odd, row, some, upper, without


def clock(seconds: float) -> str:
    return f"10{int(seconds) // 60:02d}{seconds % 60:05.2f}"


CONSTANT = [
    row("energies alternate", "mixed-acquisition", odd(KVP=140)),
    row("energies change half-way", "mixed-acquisition", upper(KVP=140)),
    row("energy not said", "taken", without("KVP")),
    row("energy of one slice not said", "taken", some((3,), KVP=None)),
    row("kernels alternate", "mixed-acquisition", odd(ConvolutionKernel="B30f")),
    row("kernels change half-way", "mixed-acquisition", upper(ConvolutionKernel="B30f")),
    row("a kernel of two values", "taken", every(ConvolutionKernel=["Br40d", "3"])),
    row("temporal positions alternate", "mixed-acquisition", each("TemporalPositionIdentifier", lambda i: 1 + i % 2)),
    row("temporal positions change half-way", "mixed-acquisition", each("TemporalPositionIdentifier", lambda i: 1 + i // 3)),
    row("patient positions alternate", "mixed-acquisition", odd(PatientPosition="FFS")),
    row("scanners change half-way", "mixed-acquisition", upper(DeviceSerialNumber="999")),
]  # fmt: skip

STEADY = [
    row("acquisition numbers alternate", "mixed-acquisition", each("AcquisitionNumber", lambda i: 1 + i % 2)),
    row("acquisition numbers alternate in pairs", "mixed-acquisition", each("AcquisitionNumber", lambda i: 1 + i // 2 % 2)),
    row("three acquisitions take turns", "mixed-acquisition", each("AcquisitionNumber", lambda i: 1 + i % 3)),
    row("acquisition numbers change half-way", "taken", each("AcquisitionNumber", lambda i: 1 + i // 3)),
    row("one acquisition for each slice", "taken", each("AcquisitionNumber", lambda i: i + 1)),
    row("acquisition numbers count down", "taken", each("AcquisitionNumber", lambda i: 10 - i // 2)),
    row("no acquisition numbers", "taken", without("AcquisitionNumber")),
    row("days alternate", "mixed-acquisition", odd(AcquisitionDate="20240204")),
    row("past midnight half-way", "taken", upper(AcquisitionDate="20240204")),
    row("cardiac phases alternate", "mixed-acquisition", each("NominalPercentageOfCardiacPhase", lambda i: 40 + 35 * (i % 2))),
    row("one cardiac phase", "taken", every(NominalPercentageOfCardiacPhase=75)),
    row("contrast alternates", "mixed-acquisition", odd(ContrastBolusAgent="Iodine")),
    row("contrast comes half-way", "taken", upper(ContrastBolusAgent="Iodine")),
    row("descriptions alternate", "mixed-acquisition", odd(SeriesDescription="EXP")),
    row("a description corrected half-way", "taken", upper(SeriesDescription="Lung")),
    row("irradiation events alternate", "mixed-acquisition", each("IrradiationEventUID", lambda i: f"1.2.{1 + i % 2}")),
    row("an irradiation event for each slice", "taken", each("IrradiationEventUID", lambda i: f"1.2.{1 + i}")),
    row("image types alternate", "mixed-acquisition", odd(ImageType=["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SEQ"])),
    row("tube current follows the patient", "taken", each("XRayTubeCurrent", lambda i: 30 + 20 * (i % 2))),
]  # fmt: skip

CLOCK = [
    row("time goes up with the table", "taken", each("AcquisitionTime", lambda i: clock(10 + i))),
    row("time goes down with the table", "taken", each("AcquisitionTime", lambda i: clock(50 - i))),
    row("one time for all", "taken", every(AcquisitionTime="101112")),
    row("two times alternate", "mixed-acquisition", each("AcquisitionTime", lambda i: clock(90 * (i % 2)))),
    row("two passes with a time for each slice", "mixed-acquisition", each("AcquisitionTime", lambda i: clock(i + 90 * (i % 2)))),
    row("time that trembles", "taken", each("AcquisitionTime", lambda i: clock(10 + i + 1.5 * (i % 2)))),
    row("two slabs in turn", "taken", each("AcquisitionTime", lambda i: clock(10 + i if i < 3 else 90 - i))),
    row("a time of each slice that is none", "taken", every(AcquisitionTime="")),
    row("dates with times alternate", "mixed-acquisition", each("AcquisitionDateTime", lambda i: f"20240203{clock(90 * (i % 2))}")),
]  # fmt: skip

ROWS: list[Row] = [*CONSTANT, *STEADY, *CLOCK]
