"""The demonstration: a scan goes through the whole node, and the result is compared with the truth."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom import dcmread

from nullsplat.core.errors import ArchiveError, UnreadableFile
from nullsplat.core.signals import orderly_ending
from nullsplat.core.volume import Volume
from nullsplat.demo.addresses import ohif_address
from nullsplat.demo.assessment import RESULT, Assessment, assess
from nullsplat.demo.fetching import Viewer, differing
from nullsplat.demo.node import SCANNER, DemoNode
from nullsplat.demo.options import Options
from nullsplat.demo.report import Facts, stage_lines, write_report
from nullsplat.demo.simulation import Simulation, simulate
from nullsplat.demo.steps import Steps
from nullsplat.dicom.write.synthetic_series import SeriesDescription, write_ct_series
from nullsplat.evaluation.data.public_data import CHEST, obtain
from nullsplat.io.volumes import read_volume
from nullsplat.node.installation import orthanc_version
from nullsplat.node.observer import Json, Observer, follow, wait_for_decision
from nullsplat.node.orthanc import ADMIN
from nullsplat.node.scanner import send


@dataclass(frozen=True)
class Scan:
    """The series that is sent.

    Attributes:
        scene: volumes.
        files: one DICOM file for each slice.
        series_instance_uid: of the series.
    """

    scene: Simulation
    files: list[Path]
    series_instance_uid: str


def run(options: Options, *, once: bool) -> bool:
    """Do all steps; unless `once`, leave the node running until Ctrl-C.

    Returns:
        Whether NullSplat came closer to the truth than cubic interpolation, in both PSNR and SSIM.

    Raises:
        NullSplatError: something that is needed failed; everything that was started has ended.
    """
    steps = Steps(total=6)
    options.prepare()
    with orderly_ending():
        scan = _make_scan(options, _obtain(options, steps), steps)
        steps.begin("start Orthanc with the plugin, the engine with one worker, and a PACS to route to")
        with DemoNode(options) as node:
            steps.say(f"{orthanc_version()}: {node.orthanc.url}, DICOM {node.peer}")
            steps.say(
                f"engine: {node.engine.settings.url}, PACS: {node.pacs.ae_title}@127.0.0.1:{node.pacs.port}"
            )
            better = _send_and_compare(options, scan, node, steps, stays=not once)
            if not once:
                _wait_for_ctrl_c(node, steps)
    return better


def _obtain(options: Options, steps: Steps) -> Volume:
    steps.begin("obtain the chest CT")
    path = options.volume or obtain(CHEST, options.cache)
    volume = read_volume(path)
    slices, rows, columns = volume.geometry.shape
    z, y, x = volume.geometry.spacing
    steps.say(f"{path}: {slices} slices of {rows} x {columns}, {z:.2f} x {y:.2f} x {x:.2f} mm")
    if slices < options.slices:
        raise UnreadableFile(
            f"{options.slices} slices are needed, {path} has {slices}; give a smaller --slices"
        )
    return _first_slices(volume, options.slices)


def _first_slices(volume: Volume, slices: int) -> Volume:
    _, rows, columns = volume.geometry.shape
    return Volume(volume.hu[:slices], replace(volume.geometry, shape=(slices, rows, columns)))


def _make_scan(options: Options, volume: Volume, steps: Steps) -> Scan:
    steps.begin("make a low-dose scan with thick slices; the truth is kept aside")
    scene = simulate(volume, options.factor, options.noise_hu, options.seed)
    thickness = scene.scan.geometry.spacing[0]
    description = SeriesDescription(
        series_description=f"LUNG SCREENING {thickness:.1f}",
        slice_thickness_mm=thickness,
        spiral_pitch=1.0,
        seed=options.seed,
    )
    files = write_ct_series(scene.scan, options.scan, description)
    uid = _series_instance_uid(files[0])
    dose = f"CTDIvol {description.ctdi_vol_mgy:g} mGy"
    steps.say(
        f"{len(files)} slices of {thickness:g} mm, noise {options.noise_hu:g} HU, {dose}: {options.scan}"
    )
    return Scan(scene, files, uid)


def _send_and_compare(options: Options, scan: Scan, node: DemoNode, steps: Steps, *, stays: bool) -> bool:
    started = time.monotonic()
    observer = Observer(node.addresses)
    state, job, decision = _process(scan, node, observer, steps)
    received = _collect(options, state, node, steps)
    facts = Facts(options, scan.scene, decision, state, job, time.monotonic() - started)
    better = _compare(facts, received, steps)
    if stays:
        _say_where(scan, job, state, node, observer, steps)
    return better


def _process(scan: Scan, node: DemoNode, observer: Observer, steps: Steps) -> tuple[Json, Json, str]:
    steps.begin(f"send the series by C-STORE and let the node work on it ({SCANNER} to {node.peer})")
    with steps.progress() as show:
        count = len(scan.files)
        send(
            scan.files,
            node.peer,
            SCANNER,
            lambda stored: show("C-STORE", stored / count, f"{stored} of {count}"),
        )
    series = observer.identifier(scan.series_instance_uid)
    decision = wait_for_decision(observer, series, node.check)
    steps.say(f"plugin: {decision}")
    with steps.progress() as show:
        state, job = follow(observer, series, show, node.check)
    return state, job, decision


def _collect(options: Options, state: Json, node: DemoNode, steps: Steps) -> list[Path]:
    steps.begin("fetch the derived series by DICOMweb, and look at what arrived at the PACS")
    uid = state["derived"]["series_instance_uid"]
    viewer = Viewer(node.orthanc.dicomweb_url, ADMIN, node.admin_password)
    found = viewer.find(uid)
    steps.say(f"QIDO-RS: {found.description!r}, {len(found.instances)} instances")
    with steps.progress() as show:
        count = len(found.instances)
        files = viewer.fetch(
            found, options.out / "dicom", lambda n: show("WADO-RS", n / count, f"{n} of {count}")
        )
    fetched = {path.stem: path for path in files}
    if fetched.keys() != found.instances:
        raise ArchiveError(
            f"WADO-RS must deliver the {count} instances that QIDO-RS lists, got {len(fetched)}"
        )
    different = differing(fetched, node.pacs.received(uid))
    if different:
        raise ArchiveError(
            f"the PACS must have what WADO-RS delivers, {len(different)} instances differ: {different[0]}"
        )
    steps.say(
        f"{node.pacs.ae_title}: all {count} instances arrived by C-STORE, every attribute and pixel the same"
    )
    return files


def _compare(facts: Facts, received: list[Path], steps: Steps) -> bool:
    steps.begin("compare with the truth")
    out = facts.options.out
    assessment = assess(received, facts.scene, out / "picture.png")
    for line in (*assessment.lines(), "", *stage_lines(facts), ""):
        steps.say(line)
    write_report(out / "report.json", facts, assessment)
    steps.say(_verdict(assessment))
    steps.say(f"files: {out}/dicom, {out}/picture.png, {out}/report.json")
    return assessment.better_than_cubic


def _verdict(assessment: Assessment) -> str:
    ours, cubic = assessment.scores[RESULT], assessment.scores["cubic"]
    gain = f"{ours.psnr - cubic.psnr:+.2f} dB PSNR and {ours.ssim - cubic.ssim:+.4f} SSIM against cubic interpolation"
    if assessment.better_than_cubic:
        return f"NullSplat is closer to the truth: {gain}"
    return f"NullSplat is NOT better than cubic interpolation on this volume: {gain}"


def _say_where(scan: Scan, job: Json, state: Json, node: DemoNode, observer: Observer, steps: Steps) -> None:
    url = node.orthanc.url
    derived = state["derived"]["series"]
    ohif = ohif_address(observer, url, scan.series_instance_uid, job["result"])
    page = f"{url}/nullsplat/ui/index.html"
    lines = {
        "status page": page,
        "compare": f"{page}#/compare/{state['series']}",
        "Orthanc Explorer": f"{url}/app/explorer.html#study?uuid={observer.study_of(derived)}",
        "web viewer": f"{url}/web-viewer/app/viewer.html?series={derived}",
        **({} if ohif is None else {"OHIF": ohif}),
        "DICOMweb": f"{node.orthanc.dicomweb_url}/studies",
        "login": f"{ADMIN} / {node.admin_password}",
    }
    steps.say()
    for name, where in lines.items():
        steps.say(f"{name:<18}{where}")


def _wait_for_ctrl_c(node: DemoNode, steps: Steps) -> None:
    steps.say()
    steps.say("The node is running; Ctrl-C ends it.")
    try:
        while True:
            node.check()
            time.sleep(1.0)
    except KeyboardInterrupt:
        steps.say("stopping")


def _series_instance_uid(file: Path) -> str:
    return str(dcmread(file, stop_before_pixels=True).SeriesInstanceUID)
