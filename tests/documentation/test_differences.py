"""Tests behind each row of docs/cluster/differences.md: both columns say what RiseML does.

A row without tests fails, and so does a test that no longer exists.
"""

import re
from pathlib import Path

import pytest

from riseml import Client
from riseml.errors import NotFoundError

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "cluster" / "differences.md"
_ROW = re.compile(r"^\| (?P<title>[^|]+?) \| [^|]+ \| [^|]+ \|$", re.MULTILINE)

BEHIND = {
    "Python and packages": (
        "local/test_job_python.py::test_train_says_which_python_the_job_finds",
        "local/test_installed_packages.py::test_packages_of_the_user_are_visible_unless_isolated",
        "cluster/test_images.py::test_a_new_base_image_causes_a_build",
    ),
    "`image`": (
        "local/test_job_python.py::test_differences_from_a_cluster_are_listed",
        "unit/compiler/test_compiler.py::test_a_build_starts_from_the_digest_of_the_base_image",
    ),
    "install steps": (
        "unit/engines/local/jobs/test_build_environment.py::test_a_build_continues_after_the_steps_that_it_shares",
        "unit/compiler/test_compiler.py::test_install_steps_become_a_build",
    ),
    "`apt-get` and its like in `install`": (
        "local/controller/test_environments.py::test_a_build_runs_once_per_key_and_jobs_run_in_what_it_made",
    ),
    "environment variables": (
        "local/test_job_python.py::test_differences_from_a_cluster_are_listed",
        "contract/test_engines.py::test_a_job_has_its_variables",
    ),
    "umask, `ulimit`, `nice`, CPU affinity": (
        "local/test_inheritance.py::test_each_run_has_the_attributes_of_its_own_command",
    ),
    "user": (
        "local/test_job_python.py::test_differences_from_a_cluster_are_listed",
        "cluster/test_storage.py::test_an_image_may_have_a_user_of_its_own",
    ),
    "`/data`, `/output`, `/code`": (
        "local/jobs/test_mounts.py::test_data_and_mounts_below_it_are_read_only",
        "local/jobs/test_mounts.py::test_a_refused_probe_means_no_mounts",
        "contract/test_engines.py::test_each_experiment_has_its_own_output_folder",
    ),
    "files next to the code": (
        "local/test_workdir.py::test_the_files_of_a_job_that_does_not_finish",
        "cluster/test_workdir.py::test_files_are_kept_however_a_pod_ends",
    ),
    "other files of the machine": (
        "local/jobs/test_mounts.py::test_a_job_sees_its_mounts_and_the_hosts_other_files",
        "cluster/test_breakouts.py::test_no_pod_of_an_attempt_starts",
    ),
    "network": (
        "local/controller/test_gangs.py::test_all_jobs_reach_each_other_and_servers_end_with_the_workers",
        "local/jobs/test_network.py::test_experiments_may_listen_at_the_same_port",
        "contract/test_engines.py::test_jobs_of_an_experiment_know_each_other",
    ),
    "secrets": (
        "unit/test_home_folder.py::test_a_new_home_and_what_is_in_it_are_private",
        "cluster/test_secrets.py::test_neither_the_pod_nor_the_copy_shows_a_value",
    ),
    "`cpus`, `mem`": (
        "local/test_enforced_limits.py::test_without_the_setting_nothing_is_limited",
        "local/test_enforced_limits.py::test_a_job_that_needs_more_memory_than_it_requests_fails_as_on_a_cluster",
        "cluster/test_limits.py::test_a_job_gets_no_more_memory_than_it_requests",
    ),
    "a request that can never fit": (
        "local/test_engine.py::test_a_run_that_can_never_fit_is_refused_before_it_starts",
        "cluster/test_durability.py::test_the_quota_is_exceeded_for_a_while",
    ),
    "`gpus`": (
        "local/test_gpus.py::test_a_job_sees_its_own_card",
        "local/test_gpus.py::test_a_job_waits_for_the_program_of_somebody_else",
        "cluster/test_gpus.py::test_jobs_get_the_shares_and_the_cards_that_nodes_have",
    ),
    "`gpus: 0.25`": (
        "local/test_gpu_shares.py::test_variables_of_riseml_yml_and_of_the_command_come_first",
        "unit/compiler/test_gpus.py::test_a_share_requests_what_the_values_map_it_to",
        "unit/compiler/test_gpus.py::test_a_share_without_a_mapping_is_refused",
    ),
    "`gpu_type`, `gpu_mem`": (
        "unit/engines/local/controller/test_gpu_placement.py::test_what_a_machine_can_never_run_is_explained",
        "unit/compiler/test_gpus.py::test_the_type_and_the_memory_are_required_of_the_node",
    ),
    "jobs of a distributed experiment": (
        "local/controller/test_gangs.py::test_a_gang_starts_together_or_not_at_all",
        "cluster/test_gangs.py::test_two_gangs_of_three_with_room_for_four_both_finish",
        "cluster/test_kueue.py::test_two_gangs_with_room_for_one_run_one_after_the_other",
    ),
    "`queue`, `priority`": (
        "unit/queues/test_queues.py::test_one_machine_has_no_queues_and_priorities",
        "unit/queues/test_queues.py::test_riseml_yml_names_another_queue",
    ),
    "quotas": ("cluster/test_durability.py::test_the_quota_is_exceeded_for_a_while",),
    "`idle_timeout`": (
        "local/test_idle.py::test_a_job_that_does_not_use_its_gpu_is_stopped_after_its_idle_timeout",
        "cluster/test_idle.py::test_an_idle_pod_is_marked_and_then_stopped_and_not_retried",
    ),
    "size of a set": (
        "unit/engines/argo/test_shards.py::test_every_experiment_is_in_one_shard_and_no_shard_is_too_full",
        "unit/engines/argo/test_shards.py::test_too_many_shards_are_refused",
    ),
    "length of riseml.yml": (
        "unit/compiler/test_limits.py::test_a_config_too_long_for_an_annotation_is_refused",
    ),
    "a restart of the machine or the loss of a node": (
        "local/test_survival.py::test_the_machine_restarts_in_the_middle_of_a_set",
        "cluster/test_durability.py::test_a_run_survives_the_loss_of_its_node",
    ),
    "`retries: {on: [preempted, node-lost]}`": (
        "unit/compiler/test_retries.py::test_a_failure_is_retried_for_its_causes",
        "cluster/test_kueue.py::test_a_preempted_job_is_retried_for_that_cause",
    ),
    "the end of a run's document": (
        "unit/engines/argo/test_archive.py::test_a_list_renews_an_outdated_record_before_argo_deletes_the_workflow",
    ),
    "whose runs you see": (
        "documentation/test_differences.py::test_this_machine_has_only_the_users_own_runs",
        "unit/engines/argo/test_run_reader.py::test_other_users_runs_may_be_forbidden",
    ),
    "TensorBoard": (
        "unit/engines/local/controller/test_own_jobs.py::test_a_tensorboard_starts_with_the_first_job_and_ends_with_the_last",
        "unit/engines/argo/test_tensorboard.py::test_a_copy_is_shown_and_updated",
    ),
    "`--runner`, `config set resources.enforce`, `doctor --repair`": (
        "cli/test_contexts.py::test_an_engine_without_runners_refuses_one",
        "cli/test_doctor.py::test_an_engine_without_a_list_of_runs_has_nothing_to_repair",
    ),
}


def test_each_row_has_tests() -> None:
    titles = [row["title"].strip() for row in _ROW.finditer(PAGE.read_text("utf-8"))]
    rows = [title for title in titles if title not in {"", "---"}]
    assert rows == list(BEHIND)


@pytest.mark.parametrize("title", BEHIND)
def test_the_tests_of_a_row_exist(title: str) -> None:
    for test in BEHIND[title]:
        file, _, name = test.partition("::")
        text = (ROOT / "tests" / file).read_text("utf-8")
        assert f"def {name}(" in text, test


def test_this_machine_has_only_the_users_own_runs(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as failure:
        Client(tmp_path / "home").status("bob.1")
    assert failure.value.advice.startswith("Runs here are only your own.")
