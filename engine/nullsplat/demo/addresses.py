"""Where a person sees what the demonstration has made."""

from nullsplat.dicom.write.parametric_map import INTERVAL
from nullsplat.node.observer import Json, Observer


def ohif_address(observer: Observer, url: str, source_uid: str, result: Json) -> str | None:
    """Where OHIF shows source, result and intervals side by side, as the node's pages open it; None without OHIF.

    Args:
        observer: of the node.
        url: of Orthanc.
        source_uid: Series Instance UID of the source.
        result: of the job, as the engine says it.

    Raises:
        ArchiveError: Orthanc does not answer, or lacks a series of the result.
    """
    viewers = observer.viewers()
    if not viewers["ohif"]:
        return None
    study = f"{url}/ohif/viewer?StudyInstanceUIDs={result['study_instance_uid']}"
    if not viewers["ohif_side_by_side"]:
        return study
    further = [series["series_instance_uid"] for series in result["further_series"]]
    maps = [uid for uid in further if INTERVAL.mark in observer.description(uid)]
    shown = ",".join([source_uid, result["series_instance_uid"], *maps])
    stage = "&stageId=intervals" if maps else ""
    return f"{study}&SeriesInstanceUIDs={shown}&hangingProtocolId=nullsplat{stage}"
