//! Journeys: what a user sees, on real programs. One story a file; `../harness` starts what they need.

#![expect(unreachable_pub, reason = "the harness is a module here, its `pub` says what journeys may use")]
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a broken journey has to be loud")]
#![expect(clippy::disallowed_methods, reason = "journeys measure real time")]

#[path = "../harness/mod.rs"]
mod harness;

mod alerts_of_other_tools_page_somebody;
mod backup_and_restore_while_running;
mod bad_input_is_told_clearly;
mod browser_acknowledges_and_stands_in;
mod browser_finds_anything_by_a_few_letters;
mod browser_opens_an_instance_and_a_year;
mod browser_sees_a_service_go_down_and_come_back;
mod browser_sets_up_rules_and_maintenance;
mod browser_shows_the_public_status_page;
mod browser_walks_through_many_services;
mod command_line_answers_people_and_scripts;
mod container_start_reaches_the_proxy;
mod daemon_restart_leaves_nothing_stale;
mod external_balancers_lose_no_get;
mod failing_service_wakes_who_is_on_call;
mod full_disk_refuses_writes_and_recovers;
mod kill_nine_at_any_moment_tears_nothing;
mod killed_container_opens_an_incident;
mod killed_wharf_forgets_nothing;
mod nginx_serves_the_same_routes;
mod no_docker_is_no_obstacle;
mod pages_survive_kill_nine;
mod real_clients_keep_terraforms_state;
mod real_clients_need_no_change;
mod registrator_follows_containers_for_another_catalog;
mod scaling_loses_no_request;
mod stopping_wharf_finishes_what_it_began;
mod templates_follow_a_catalog_behind_tls;
mod templates_follow_any_catalog;
mod the_map_names_every_room;
