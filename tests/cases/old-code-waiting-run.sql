BEGIN TRANSACTION;
CREATE TABLE acceptance (
	id VARCHAR(36) NOT NULL, 
	finding_id VARCHAR(36) NOT NULL, 
	state VARCHAR(40) NOT NULL, 
	what_can_happen VARCHAR NOT NULL, 
	impact VARCHAR(40) NOT NULL, 
	control VARCHAR(40) NOT NULL, 
	alternatives JSON NOT NULL, 
	conditions VARCHAR NOT NULL, 
	evidence_seen VARCHAR NOT NULL, 
	until DATETIME NOT NULL, 
	requested_by_id VARCHAR(36) NOT NULL, 
	requested_at DATETIME NOT NULL, 
	decided_by_id VARCHAR(36), 
	decided_at DATETIME, 
	mandate VARCHAR(200) NOT NULL, 
	decision_reason VARCHAR NOT NULL, 
	ended_at DATETIME, 
	CONSTRAINT pk_acceptance PRIMARY KEY (id), 
	CONSTRAINT fk_acceptance_decided_by_id_person FOREIGN KEY(decided_by_id) REFERENCES person (id), 
	CONSTRAINT fk_acceptance_finding_id_finding FOREIGN KEY(finding_id) REFERENCES finding (id), 
	CONSTRAINT fk_acceptance_requested_by_id_person FOREIGN KEY(requested_by_id) REFERENCES person (id)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('f8fda56ba31a');
CREATE TABLE audit_event (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	actor VARCHAR(80) NOT NULL, 
	action VARCHAR(80) NOT NULL, 
	object_kind VARCHAR(40) NOT NULL, 
	object_id VARCHAR(80) NOT NULL, 
	result VARCHAR(20) NOT NULL, 
	origin VARCHAR(80) NOT NULL, 
	detail JSON NOT NULL, 
	CONSTRAINT pk_audit_event PRIMARY KEY (id)
);
INSERT INTO "audit_event" VALUES(1,'2026-11-23 16:50:32.155033','person:operator','run.planned','run','01a20950-fc16-7d66-9715-a74d1ca1f8b8','done','','{"ref": "RUN-001", "drill": "DRL-001", "digest": "847799b0f29087014c117ceab8cdc20fd3d0e118b0de4b3cc963b1d5e4fd90df"}');
INSERT INTO "audit_event" VALUES(2,'2026-11-23 16:50:32.278229','person:approver','run.approved','run','RUN-001','done','','{"digest": "847799b0f29087014c117ceab8cdc20fd3d0e118b0de4b3cc963b1d5e4fd90df", "comment": ""}');
INSERT INTO "audit_event" VALUES(3,'2026-11-23 16:50:33.317189','person:owner','run.approved','run','RUN-001','done','','{"digest": "847799b0f29087014c117ceab8cdc20fd3d0e118b0de4b3cc963b1d5e4fd90df", "comment": ""}');
INSERT INTO "audit_event" VALUES(4,'2026-11-23 16:50:33.409371','person:owner','run.started','run','01a20950-fc16-7d66-9715-a74d1ca1f8b8','done','','{"ref": "RUN-001", "digest": "847799b0f29087014c117ceab8cdc20fd3d0e118b0de4b3cc963b1d5e4fd90df"}');
CREATE TABLE blackout (
	id VARCHAR(36) NOT NULL, 
	ref VARCHAR(20) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	starts_at DATETIME NOT NULL, 
	ends_at DATETIME NOT NULL, 
	service_id VARCHAR(36), 
	reason VARCHAR NOT NULL, 
	created_at DATETIME NOT NULL, 
	archived_at DATETIME, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_blackout PRIMARY KEY (id), 
	CONSTRAINT fk_blackout_service_id_service FOREIGN KEY(service_id) REFERENCES service (id), 
	CONSTRAINT uq_blackout_ref UNIQUE (ref)
);
CREATE TABLE catalog_change (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	actor VARCHAR(80) NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	row_id VARCHAR(36) NOT NULL, 
	row_ref VARCHAR(20) NOT NULL, 
	fields JSON NOT NULL, 
	touches JSON NOT NULL, 
	substantive BOOLEAN NOT NULL, 
	reason VARCHAR NOT NULL, 
	CONSTRAINT pk_catalog_change PRIMARY KEY (id)
);
CREATE TABLE contract (
	id VARCHAR(36) NOT NULL, 
	ref VARCHAR(20) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	twin_key VARCHAR(64), 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	archived_at DATETIME, 
	revision INTEGER NOT NULL, 
	number VARCHAR(500) NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	supplier_id VARCHAR(36) NOT NULL, 
	overarching_id VARCHAR(36), 
	cost_cents BIGINT, 
	currency VARCHAR(3) NOT NULL, 
	starts_on DATE, 
	ends_on DATE, 
	notice_own BIGINT, 
	notice_supplier BIGINT, 
	law VARCHAR(7) NOT NULL, 
	framework VARCHAR(500) NOT NULL, 
	CONSTRAINT pk_contract PRIMARY KEY (id), 
	CONSTRAINT fk_contract_overarching_id_contract FOREIGN KEY(overarching_id) REFERENCES contract (id), 
	CONSTRAINT fk_contract_supplier_id_supplier FOREIGN KEY(supplier_id) REFERENCES supplier (id), 
	CONSTRAINT uq_contract_ref UNIQUE (ref), 
	CONSTRAINT uq_contract_twin_key UNIQUE (twin_key)
);
CREATE TABLE contract_service (
	contract_id VARCHAR(36) NOT NULL, 
	service_id VARCHAR(36) NOT NULL, 
	CONSTRAINT pk_contract_service PRIMARY KEY (contract_id, service_id), 
	CONSTRAINT fk_contract_service_contract_id_contract FOREIGN KEY(contract_id) REFERENCES contract (id), 
	CONSTRAINT fk_contract_service_service_id_service FOREIGN KEY(service_id) REFERENCES service (id)
);
CREATE TABLE datasource_outputs (
            workflow_id TEXT NOT NULL,
            step_id INTEGER NOT NULL,
            output TEXT,
            error TEXT,
            serialization TEXT,
            created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
            PRIMARY KEY (workflow_id, step_id)
        );
CREATE TABLE dbos_datasource_migrations (version INTEGER NOT NULL PRIMARY KEY);
INSERT INTO "dbos_datasource_migrations" VALUES(1);
CREATE TABLE drill (
	id VARCHAR(36) NOT NULL, 
	ref VARCHAR(20) NOT NULL, 
	title VARCHAR(200) NOT NULL, 
	plan_id VARCHAR(36) NOT NULL, 
	plan_version_id VARCHAR(36) NOT NULL, 
	service_id VARCHAR(36), 
	pair_id VARCHAR(36), 
	scenario VARCHAR(40) NOT NULL, 
	playbook_id VARCHAR(36) NOT NULL, 
	mode VARCHAR(40) NOT NULL, 
	direction VARCHAR(10), 
	partner_id VARCHAR(36), 
	inputs JSON NOT NULL, 
	schedule JSON, 
	time_zone VARCHAR(60) NOT NULL, 
	windows JSON NOT NULL, 
	grace_s INTEGER NOT NULL, 
	attendance VARCHAR(40) NOT NULL, 
	on_call_id VARCHAR(36), 
	approvals JSON, 
	participants JSON NOT NULL, 
	objectives JSON NOT NULL, 
	limits JSON NOT NULL, 
	claims JSON NOT NULL, 
	owner_id VARCHAR(36), 
	created_by VARCHAR(80) NOT NULL, 
	created_at DATETIME NOT NULL, 
	planned_until DATETIME, 
	next_due_at DATETIME, 
	archived_at DATETIME, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_drill PRIMARY KEY (id), 
	CONSTRAINT fk_drill_on_call_id_person FOREIGN KEY(on_call_id) REFERENCES person (id), 
	CONSTRAINT fk_drill_owner_id_person FOREIGN KEY(owner_id) REFERENCES person (id), 
	CONSTRAINT fk_drill_pair_id_environment_pair FOREIGN KEY(pair_id) REFERENCES environment_pair (id), 
	CONSTRAINT fk_drill_partner_id_drill FOREIGN KEY(partner_id) REFERENCES drill (id), 
	CONSTRAINT fk_drill_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id), 
	CONSTRAINT fk_drill_plan_version_id_plan_version FOREIGN KEY(plan_version_id) REFERENCES plan_version (id), 
	CONSTRAINT fk_drill_playbook_id_playbook_version FOREIGN KEY(playbook_id) REFERENCES playbook_version (id), 
	CONSTRAINT fk_drill_service_id_service FOREIGN KEY(service_id) REFERENCES service (id), 
	CONSTRAINT uq_drill_ref UNIQUE (ref)
);
INSERT INTO "drill" VALUES('01a20950-fb42-7883-a3e0-0c00e80fb887','DRL-001','Oefening','plan','version','service','pair','','01a20950-fb2e-7fe9-94a1-230ba6af1285','live',NULL,NULL,'{"pair": "pair"}','null','Europe/Amsterdam','[]',900,'attended',NULL,'{"needed": 2, "processOwner": true, "validFor": "P366D"}','[]','[]','{}','{}',NULL,'person:operator','2027-01-10 10:00:00.000000',NULL,NULL,NULL,1);
CREATE TABLE drill_moment (
	id VARCHAR(36) NOT NULL, 
	drill_id VARCHAR(36) NOT NULL, 
	nominal_local VARCHAR(40) NOT NULL, 
	due_at DATETIME NOT NULL, 
	state VARCHAR(40) NOT NULL, 
	"trigger" VARCHAR(40) NOT NULL, 
	reason_code VARCHAR(40) NOT NULL, 
	reason JSON NOT NULL, 
	run_id VARCHAR(36), 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_drill_moment PRIMARY KEY (id), 
	CONSTRAINT fk_drill_moment_drill_id_drill FOREIGN KEY(drill_id) REFERENCES drill (id), 
	CONSTRAINT uq_drill_moment_drill_id_nominal_local UNIQUE (drill_id, nominal_local)
);
CREATE TABLE environment (
	id VARCHAR(36) NOT NULL, 
	ref VARCHAR(20) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	twin_key VARCHAR(64), 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	archived_at DATETIME, 
	revision INTEGER NOT NULL, 
	service_id VARCHAR(36) NOT NULL, 
	role VARCHAR(40) NOT NULL, 
	site_id VARCHAR(36) NOT NULL, 
	supplier_id VARCHAR(36), 
	identity_provider VARCHAR(200) NOT NULL, 
	dns_provider VARCHAR(200) NOT NULL, 
	certificate_holder VARCHAR(200) NOT NULL, 
	key_people JSON NOT NULL, 
	driver JSON NOT NULL, 
	CONSTRAINT pk_environment PRIMARY KEY (id), 
	CONSTRAINT fk_environment_service_id_service FOREIGN KEY(service_id) REFERENCES service (id), 
	CONSTRAINT fk_environment_site_id_site FOREIGN KEY(site_id) REFERENCES site (id), 
	CONSTRAINT fk_environment_supplier_id_supplier FOREIGN KEY(supplier_id) REFERENCES supplier (id), 
	CONSTRAINT uq_environment_ref UNIQUE (ref), 
	CONSTRAINT uq_environment_twin_key UNIQUE (twin_key)
);
INSERT INTO "environment" VALUES('primary','ENV-001','primary',NULL,'2027-01-10 10:00:00.000000','2027-01-10 10:00:00.000000',NULL,1,'service','primary','site-primary',NULL,'','','','[]','{}');
INSERT INTO "environment" VALUES('fallback','ENV-002','fallback',NULL,'2027-01-10 10:00:00.000000','2027-01-10 10:00:00.000000',NULL,1,'service','fallback','site-fallback',NULL,'','','','[]','{}');
CREATE TABLE environment_lock (
	"key" VARCHAR(120) NOT NULL, 
	token INTEGER NOT NULL, 
	run_id VARCHAR(36), 
	since DATETIME, 
	CONSTRAINT pk_environment_lock PRIMARY KEY ("key")
);
INSERT INTO "environment_lock" VALUES('environment:fallback',1,'01a20950-fc16-7d66-9715-a74d1ca1f8b8','2026-11-23 16:50:31.839951');
INSERT INTO "environment_lock" VALUES('environment:primary',1,'01a20950-fc16-7d66-9715-a74d1ca1f8b8','2026-11-23 16:50:31.839951');
CREATE TABLE environment_pair (
	id VARCHAR(36) NOT NULL, 
	ref VARCHAR(20) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	twin_key VARCHAR(64), 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	archived_at DATETIME, 
	revision INTEGER NOT NULL, 
	service_id VARCHAR(36) NOT NULL, 
	primary_id VARCHAR(36) NOT NULL, 
	fallback_id VARCHAR(36) NOT NULL, 
	service_url VARCHAR(500) NOT NULL, 
	proxy JSON NOT NULL, 
	home_side VARCHAR(40) NOT NULL, 
	home_since DATETIME NOT NULL, 
	CONSTRAINT pk_environment_pair PRIMARY KEY (id), 
	CONSTRAINT fk_environment_pair_fallback_id_environment FOREIGN KEY(fallback_id) REFERENCES environment (id), 
	CONSTRAINT fk_environment_pair_primary_id_environment FOREIGN KEY(primary_id) REFERENCES environment (id), 
	CONSTRAINT fk_environment_pair_service_id_service FOREIGN KEY(service_id) REFERENCES service (id), 
	CONSTRAINT uq_environment_pair_ref UNIQUE (ref), 
	CONSTRAINT uq_environment_pair_twin_key UNIQUE (twin_key)
);
INSERT INTO "environment_pair" VALUES('pair','PAIR-001','permits',NULL,'2027-01-10 10:00:00.000000','2027-01-10 10:00:00.000000',NULL,1,'service','primary','fallback','http://127.0.0.1:1/','{}','primary','2027-01-10 10:00:00.000000');
CREATE TABLE evidence_file (
	id VARCHAR(36) NOT NULL, 
	run_id VARCHAR(36) NOT NULL, 
	step_run_id VARCHAR(36), 
	attempt INTEGER NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	size INTEGER NOT NULL, 
	media_type VARCHAR(120) NOT NULL, 
	title VARCHAR(200) NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_evidence_file PRIMARY KEY (id), 
	CONSTRAINT fk_evidence_file_run_id_run FOREIGN KEY(run_id) REFERENCES run (id), 
	CONSTRAINT fk_evidence_file_step_run_id_step_run FOREIGN KEY(step_run_id) REFERENCES step_run (id)
);
CREATE TABLE finding (
	id VARCHAR(36) NOT NULL, 
	ref VARCHAR(20) NOT NULL, 
	"key" VARCHAR(300) NOT NULL, 
	open_key VARCHAR(300), 
	plan_id VARCHAR(36), 
	plan_version VARCHAR(20) NOT NULL, 
	claim_key VARCHAR(100), 
	service_id VARCHAR(36), 
	run_id VARCHAR(36), 
	object_ids JSON NOT NULL, 
	source VARCHAR(40) NOT NULL, 
	cause VARCHAR(40), 
	severity VARCHAR(40) NOT NULL, 
	level INTEGER, 
	title_nl VARCHAR(300) NOT NULL, 
	title_en VARCHAR(300) NOT NULL, 
	description VARCHAR NOT NULL, 
	state VARCHAR(40) NOT NULL, 
	owner_id VARCHAR(36), 
	due_on DATE, 
	impact_now VARCHAR(40), 
	control_now VARCHAR(40), 
	impact_after VARCHAR(40), 
	control_after VARCHAR(40), 
	opened_by VARCHAR(80) NOT NULL, 
	opened_at DATETIME NOT NULL, 
	retested_at DATETIME, 
	retest_run_id VARCHAR(36), 
	closed_at DATETIME, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_finding PRIMARY KEY (id), 
	CONSTRAINT fk_finding_owner_id_person FOREIGN KEY(owner_id) REFERENCES person (id), 
	CONSTRAINT fk_finding_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id), 
	CONSTRAINT fk_finding_service_id_service FOREIGN KEY(service_id) REFERENCES service (id), 
	CONSTRAINT uq_finding_open_key UNIQUE (open_key), 
	CONSTRAINT uq_finding_ref UNIQUE (ref)
);
CREATE TABLE finding_action (
	id VARCHAR(36) NOT NULL, 
	finding_id VARCHAR(36) NOT NULL, 
	what VARCHAR(500) NOT NULL, 
	owner_id VARCHAR(36), 
	due_on DATE, 
	done_at DATETIME, 
	done_by VARCHAR(80) NOT NULL, 
	note VARCHAR NOT NULL, 
	created_at DATETIME NOT NULL, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_finding_action PRIMARY KEY (id), 
	CONSTRAINT fk_finding_action_finding_id_finding FOREIGN KEY(finding_id) REFERENCES finding (id), 
	CONSTRAINT fk_finding_action_owner_id_person FOREIGN KEY(owner_id) REFERENCES person (id)
);
CREATE TABLE finding_transition (
	id INTEGER NOT NULL, 
	finding_id VARCHAR(36) NOT NULL, 
	at DATETIME NOT NULL, 
	actor VARCHAR(80) NOT NULL, 
	operation VARCHAR(40) NOT NULL, 
	"before" VARCHAR(40) NOT NULL, 
	"after" VARCHAR(40) NOT NULL, 
	reason VARCHAR NOT NULL, 
	run_id VARCHAR(36), 
	CONSTRAINT pk_finding_transition PRIMARY KEY (id), 
	CONSTRAINT fk_finding_transition_finding_id_finding FOREIGN KEY(finding_id) REFERENCES finding (id)
);
CREATE TABLE guard_state (
	id VARCHAR(36) NOT NULL, 
	run_id VARCHAR(36) NOT NULL, 
	guard_id VARCHAR(40) NOT NULL, 
	seen VARCHAR(40) NOT NULL, 
	since DATETIME NOT NULL, 
	looked_at DATETIME, 
	acted_at DATETIME, 
	paused_at DATETIME, 
	reason JSON NOT NULL, 
	CONSTRAINT pk_guard_state PRIMARY KEY (id), 
	CONSTRAINT fk_guard_state_run_id_run FOREIGN KEY(run_id) REFERENCES run (id), 
	CONSTRAINT uq_guard_state_run_id_guard_id UNIQUE (run_id, guard_id)
);
CREATE TABLE home_side_change (
	id INTEGER NOT NULL, 
	pair_id VARCHAR(36) NOT NULL, 
	side VARCHAR(40) NOT NULL, 
	at DATETIME NOT NULL, 
	run_id VARCHAR(36), 
	CONSTRAINT pk_home_side_change PRIMARY KEY (id), 
	CONSTRAINT fk_home_side_change_pair_id_environment_pair FOREIGN KEY(pair_id) REFERENCES environment_pair (id)
);
CREATE TABLE idempotent_answer (
	"key" VARCHAR(64) NOT NULL, 
	request_hash VARCHAR(64) NOT NULL, 
	status INTEGER NOT NULL, 
	answer JSON NOT NULL, 
	location VARCHAR, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_idempotent_answer PRIMARY KEY ("key")
);
CREATE TABLE machine_token (
	id VARCHAR(36) NOT NULL, 
	name VARCHAR NOT NULL, 
	prefix VARCHAR(12) NOT NULL, 
	token_hash VARCHAR(64) NOT NULL, 
	roles JSON NOT NULL, 
	created_by VARCHAR(36) NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	revoked_at DATETIME, 
	CONSTRAINT pk_machine_token PRIMARY KEY (id), 
	CONSTRAINT fk_machine_token_created_by_person FOREIGN KEY(created_by) REFERENCES person (id), 
	CONSTRAINT uq_machine_token_token_hash UNIQUE (token_hash)
);
CREATE TABLE measure (
	id VARCHAR(36) NOT NULL, 
	ref VARCHAR(20) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	twin_key VARCHAR(64), 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	archived_at DATETIME, 
	revision INTEGER NOT NULL, 
	contract_id VARCHAR(36) NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	present VARCHAR(40) NOT NULL, 
	clause VARCHAR(500) NOT NULL, 
	triggers JSON NOT NULL, 
	time_to_effect BIGINT, 
	needs_supplier VARCHAR(40) NOT NULL, 
	survives_bankruptcy VARCHAR(40) NOT NULL, 
	opinion_ref VARCHAR(500) NOT NULL, 
	owner VARCHAR(200) NOT NULL, 
	escrow_agent VARCHAR(200) NOT NULL, 
	deposit_every BIGINT, 
	last_deposit_on DATE, 
	release_conditions VARCHAR NOT NULL, 
	verification_level INTEGER, 
	vendor_level VARCHAR(200) NOT NULL, 
	ip_owner VARCHAR(200) NOT NULL, 
	transferable VARCHAR(40) NOT NULL, 
	assurance VARCHAR(40), 
	last_tested_at DATETIME, 
	last_result VARCHAR(40) NOT NULL, 
	CONSTRAINT pk_measure PRIMARY KEY (id), 
	CONSTRAINT fk_measure_contract_id_contract FOREIGN KEY(contract_id) REFERENCES contract (id), 
	CONSTRAINT uq_measure_ref UNIQUE (ref), 
	CONSTRAINT uq_measure_twin_key UNIQUE (twin_key)
);
CREATE TABLE missed_test (
	id VARCHAR(36) NOT NULL, 
	plan_id VARCHAR(36) NOT NULL, 
	at DATETIME NOT NULL, 
	reason_code VARCHAR(40) NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_missed_test PRIMARY KEY (id), 
	CONSTRAINT fk_missed_test_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id)
);
CREATE TABLE mvo (
	id VARCHAR(36) NOT NULL, 
	ref VARCHAR(20) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	unit VARCHAR(200) NOT NULL, 
	plan_id VARCHAR(36), 
	created_at DATETIME NOT NULL, 
	archived_at DATETIME, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_mvo PRIMARY KEY (id), 
	CONSTRAINT fk_mvo_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id), 
	CONSTRAINT uq_mvo_ref UNIQUE (ref)
);
CREATE TABLE mvo_version (
	id VARCHAR(36) NOT NULL, 
	mvo_id VARCHAR(36) NOT NULL, 
	number INTEGER NOT NULL, 
	state VARCHAR(40) NOT NULL, 
	content JSON NOT NULL, 
	author VARCHAR(80) NOT NULL, 
	approver_id VARCHAR(36), 
	approved_at DATETIME, 
	board_approved_on DATE, 
	created_at DATETIME NOT NULL, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_mvo_version PRIMARY KEY (id), 
	CONSTRAINT fk_mvo_version_approver_id_person FOREIGN KEY(approver_id) REFERENCES person (id), 
	CONSTRAINT fk_mvo_version_mvo_id_mvo FOREIGN KEY(mvo_id) REFERENCES mvo (id), 
	CONSTRAINT uq_mvo_version_mvo_id_number UNIQUE (mvo_id, number)
);
CREATE TABLE object (
	id VARCHAR(36) NOT NULL, 
	ref VARCHAR(20) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	twin_key VARCHAR(64), 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	archived_at DATETIME, 
	revision INTEGER NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	description VARCHAR NOT NULL, 
	owner VARCHAR(200) NOT NULL, 
	holder VARCHAR(40) NOT NULL, 
	supplier_id VARCHAR(36), 
	legal_owner VARCHAR(200) NOT NULL, 
	site_id VARCHAR(36), 
	location VARCHAR(500) NOT NULL, 
	placement VARCHAR(40) NOT NULL, 
	needed_for_mvo VARCHAR(40) NOT NULL, 
	replaceable_in BIGINT, 
	access_without_supplier VARCHAR(40) NOT NULL, 
	access_evidence VARCHAR(500) NOT NULL, 
	access_proven_at DATETIME, 
	expires_on DATE, 
	version VARCHAR(200) NOT NULL, 
	source VARCHAR(40) NOT NULL, 
	verified_on DATE, 
	verified_by VARCHAR(200) NOT NULL, 
	driver JSON NOT NULL, 
	CONSTRAINT pk_object PRIMARY KEY (id), 
	CONSTRAINT fk_object_site_id_site FOREIGN KEY(site_id) REFERENCES site (id), 
	CONSTRAINT fk_object_supplier_id_supplier FOREIGN KEY(supplier_id) REFERENCES supplier (id), 
	CONSTRAINT uq_object_ref UNIQUE (ref), 
	CONSTRAINT uq_object_twin_key UNIQUE (twin_key)
);
CREATE TABLE object_service (
	object_id VARCHAR(36) NOT NULL, 
	service_id VARCHAR(36) NOT NULL, 
	CONSTRAINT pk_object_service PRIMARY KEY (object_id, service_id), 
	CONSTRAINT fk_object_service_object_id_object FOREIGN KEY(object_id) REFERENCES object (id), 
	CONSTRAINT fk_object_service_service_id_service FOREIGN KEY(service_id) REFERENCES service (id)
);
CREATE TABLE obligation (
	id VARCHAR(36) NOT NULL, 
	run_id VARCHAR(36) NOT NULL, 
	what VARCHAR(500) NOT NULL, 
	due_at DATETIME NOT NULL, 
	done_at DATETIME, 
	done_by VARCHAR(80), 
	forced BOOLEAN NOT NULL, 
	reason VARCHAR(2000) NOT NULL, 
	CONSTRAINT pk_obligation PRIMARY KEY (id), 
	CONSTRAINT fk_obligation_run_id_run FOREIGN KEY(run_id) REFERENCES run (id)
);
CREATE TABLE person (
	id VARCHAR(36) NOT NULL, 
	ref VARCHAR(20) NOT NULL, 
	name VARCHAR NOT NULL, 
	email VARCHAR(254) NOT NULL, 
	roles JSON NOT NULL, 
	functions JSON NOT NULL, 
	language VARCHAR(2) NOT NULL, 
	active BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_person PRIMARY KEY (id), 
	CONSTRAINT uq_person_email UNIQUE (email), 
	CONSTRAINT uq_person_ref UNIQUE (ref)
);
INSERT INTO "person" VALUES('operator','PER-001','operator','operator@example.nl','[]','[]','nl',1,'2027-01-10 10:00:00.000000',1);
INSERT INTO "person" VALUES('approver','PER-002','approver','approver@example.nl','[]','[]','nl',1,'2027-01-10 10:00:00.000000',1);
INSERT INTO "person" VALUES('owner','PER-003','owner','owner@example.nl','[]','[]','nl',1,'2027-01-10 10:00:00.000000',1);
INSERT INTO "person" VALUES('author','PER-004','author','author@example.nl','[]','[]','nl',1,'2027-01-10 10:00:00.000000',1);
CREATE TABLE "plan" (
	id VARCHAR(36) NOT NULL, 
	ref VARCHAR(20) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	mode VARCHAR(40), 
	service_id VARCHAR(36) NOT NULL, 
	contract_id VARCHAR(36), 
	owner_id VARCHAR(36), 
	status VARCHAR(40) NOT NULL, 
	proven_until DATETIME, 
	overdue_since DATETIME, 
	created_by VARCHAR(80) NOT NULL, 
	created_at DATETIME NOT NULL, 
	archived_at DATETIME, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_plan PRIMARY KEY (id), 
	CONSTRAINT fk_plan_contract_id_contract FOREIGN KEY(contract_id) REFERENCES contract (id), 
	CONSTRAINT fk_plan_owner_id_person FOREIGN KEY(owner_id) REFERENCES person (id), 
	CONSTRAINT fk_plan_service_id_service FOREIGN KEY(service_id) REFERENCES service (id), 
	CONSTRAINT uq_plan_ref UNIQUE (ref)
);
INSERT INTO "plan" VALUES('plan','PLN-001','Uitwijk','fallback',NULL,'service',NULL,NULL,'draft',NULL,NULL,'person:author','2027-01-10 10:00:00.000000',NULL,1);
CREATE TABLE plan_claim (
	id VARCHAR(36) NOT NULL, 
	plan_version_id VARCHAR(36) NOT NULL, 
	position INTEGER NOT NULL, 
	"key" VARCHAR(100) NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	says VARCHAR NOT NULL, 
	families JSON NOT NULL, 
	min_level INTEGER NOT NULL, 
	valid_days INTEGER NOT NULL, 
	rto_s BIGINT, 
	rpo_s BIGINT, 
	min_hold_s BIGINT, 
	mbco FLOAT, 
	mbco_unit VARCHAR(100) NOT NULL, 
	without_supplier BOOLEAN NOT NULL, 
	object_ids JSON NOT NULL, 
	measure_ids JSON NOT NULL, 
	CONSTRAINT pk_plan_claim PRIMARY KEY (id), 
	CONSTRAINT fk_plan_claim_plan_version_id_plan_version FOREIGN KEY(plan_version_id) REFERENCES plan_version (id), 
	CONSTRAINT uq_plan_claim_plan_version_id_key UNIQUE (plan_version_id, "key")
);
INSERT INTO "plan_claim" VALUES('01a20950-de15-7a45-a6cc-ade27a7c6a0a','version',0,'over','switchover','','[]',4,365,60,NULL,NULL,NULL,'',0,'[]','[]');
INSERT INTO "plan_claim" VALUES('01a20950-de16-7647-93c0-9aaea6ba55c7','version',1,'back','way-back','','[]',4,365,NULL,NULL,NULL,NULL,'',0,'[]','[]');
INSERT INTO "plan_claim" VALUES('01a20950-de16-7fd7-bd21-aacabec7fd25','version',2,'stay','hold','','[]',5,365,NULL,NULL,NULL,NULL,'',0,'[]','[]');
INSERT INTO "plan_claim" VALUES('01a20950-de16-7684-9832-734c16d4856b','version',3,'restore','restore','','[]',3,365,NULL,NULL,NULL,NULL,'',0,'[]','[]');
CREATE TABLE plan_status_change (
	id INTEGER NOT NULL, 
	plan_id VARCHAR(36) NOT NULL, 
	at DATETIME NOT NULL, 
	old VARCHAR(40), 
	new VARCHAR(40) NOT NULL, 
	why VARCHAR(200) NOT NULL, 
	claims JSON NOT NULL, 
	proven_until DATETIME, 
	overdue_since DATETIME, 
	CONSTRAINT pk_plan_status_change PRIMARY KEY (id), 
	CONSTRAINT fk_plan_status_change_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id)
);
CREATE TABLE plan_version (
	id VARCHAR(36) NOT NULL, 
	plan_id VARCHAR(36) NOT NULL, 
	major INTEGER NOT NULL, 
	minor INTEGER NOT NULL, 
	state VARCHAR(40) NOT NULL, 
	content JSON NOT NULL, 
	mvo_version_id VARCHAR(36), 
	criticality VARCHAR(40) NOT NULL, 
	author VARCHAR(80) NOT NULL, 
	editors JSON NOT NULL, 
	weakening_reason VARCHAR NOT NULL, 
	first_due_at DATETIME, 
	next_review_on DATE, 
	submitted_at DATETIME, 
	submitted_by VARCHAR(80) NOT NULL, 
	approver_id VARCHAR(36), 
	approved_at DATETIME, 
	retired_at DATETIME, 
	created_at DATETIME NOT NULL, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_plan_version PRIMARY KEY (id), 
	CONSTRAINT fk_plan_version_approver_id_person FOREIGN KEY(approver_id) REFERENCES person (id), 
	CONSTRAINT fk_plan_version_mvo_version_id_mvo_version FOREIGN KEY(mvo_version_id) REFERENCES mvo_version (id), 
	CONSTRAINT fk_plan_version_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id), 
	CONSTRAINT uq_plan_version_plan_id_major_minor UNIQUE (plan_id, major, minor)
);
INSERT INTO "plan_version" VALUES('version','plan',1,0,'approved','{}',NULL,'not_assessed','person:author','[]','',NULL,NULL,NULL,'',NULL,'2027-01-10 10:00:00.000000',NULL,'2027-01-10 10:00:00.000000',1);
CREATE TABLE playbook_version (
	id VARCHAR(36) NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	version INTEGER NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	text VARCHAR NOT NULL, 
	title JSON NOT NULL, 
	modes JSON NOT NULL, 
	content JSON NOT NULL, 
	state VARCHAR(40) NOT NULL, 
	author_id VARCHAR(36), 
	reviewer_id VARCHAR(36), 
	reviewed_at DATETIME, 
	review_note VARCHAR NOT NULL, 
	created_at DATETIME NOT NULL, 
	archived_at DATETIME, 
	CONSTRAINT pk_playbook_version PRIMARY KEY (id), 
	CONSTRAINT fk_playbook_version_author_id_person FOREIGN KEY(author_id) REFERENCES person (id), 
	CONSTRAINT fk_playbook_version_reviewer_id_person FOREIGN KEY(reviewer_id) REFERENCES person (id), 
	CONSTRAINT uq_playbook_version_name_sha256 UNIQUE (name, sha256), 
	CONSTRAINT uq_playbook_version_name_version UNIQUE (name, version)
);
INSERT INTO "playbook_version" VALUES('01a20950-fb2e-7fe9-94a1-230ba6af1285','test-old',1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','','{}','[]','{"playbook": "test-old", "title": {"nl": "test-old", "en": "test-old"}, "modes": ["live"], "inputs": {"pair": {"type": "environment-pair"}}, "goals": {}, "locks": ["pair"], "proves": {}, "guards": [], "injects": [], "steps": [{"id": "one", "needs": [], "uses": "slow.observable", "with": {"folder": "/tmp/wissel-run-of-old-code", "name": "one"}, "timeout": "PT1M", "on_failure": "ask", "irreversible": true, "point_of_no_return": false, "starts_outage": false, "ends_outage": false, "evidence": "optional", "options": {}, "quorum": 1}, {"id": "ask", "needs": ["one"], "ask": {"nl": "Werkt het?", "en": "Does it work?"}, "with": {}, "timeout": "P365D", "on_failure": "ask", "irreversible": false, "point_of_no_return": false, "starts_outage": false, "ends_outage": false, "role": "operator", "evidence": "optional", "options": {}, "quorum": 1}, {"id": "two", "needs": ["ask"], "uses": "slow.observable", "with": {"folder": "/tmp/wissel-run-of-old-code", "name": "two"}, "timeout": "PT1M", "on_failure": "ask", "irreversible": true, "point_of_no_return": true, "starts_outage": false, "ends_outage": false, "evidence": "optional", "options": {}, "quorum": 1}]}','published','author',NULL,NULL,'','2027-01-10 10:00:00.000000',NULL);
CREATE TABLE proof (
	id VARCHAR(36) NOT NULL, 
	plan_id VARCHAR(36) NOT NULL, 
	plan_major INTEGER NOT NULL, 
	claim_key VARCHAR(100) NOT NULL, 
	source VARCHAR(40) NOT NULL, 
	level INTEGER NOT NULL, 
	verdict VARCHAR(40) NOT NULL, 
	at DATETIME NOT NULL, 
	recorded_at DATETIME NOT NULL, 
	recorded_by VARCHAR(80) NOT NULL, 
	rto_ms BIGINT, 
	rpo_ms BIGINT, 
	hold_ms BIGINT, 
	mbco FLOAT, 
	without_supplier VARCHAR(40) NOT NULL, 
	mandatory_skipped BOOLEAN NOT NULL, 
	simulated BOOLEAN NOT NULL, 
	attested BOOLEAN NOT NULL, 
	run_id VARCHAR(36), 
	reason_nl VARCHAR NOT NULL, 
	reason_en VARCHAR NOT NULL, 
	level_why JSON NOT NULL, 
	signed_at DATETIME, 
	evidence JSON NOT NULL, 
	CONSTRAINT pk_proof PRIMARY KEY (id), 
	CONSTRAINT fk_proof_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id), 
	CONSTRAINT uq_proof_run_id_plan_id_claim_key_at UNIQUE (run_id, plan_id, claim_key, at)
);
CREATE TABLE reference_counter (
	prefix VARCHAR(16) NOT NULL, 
	last INTEGER NOT NULL, 
	CONSTRAINT pk_reference_counter PRIMARY KEY (prefix)
);
INSERT INTO "reference_counter" VALUES('RUN',1);
CREATE TABLE run (
	id VARCHAR(36) NOT NULL, 
	ref VARCHAR(20) NOT NULL, 
	drill_id VARCHAR(36) NOT NULL, 
	moment_id VARCHAR(36), 
	nominal VARCHAR(40), 
	plan_id VARCHAR(36) NOT NULL, 
	plan_version_id VARCHAR(36) NOT NULL, 
	plan_major INTEGER NOT NULL, 
	service_id VARCHAR(36), 
	playbook_name VARCHAR(80) NOT NULL, 
	playbook_version_id VARCHAR(36) NOT NULL, 
	playbook_sha256 VARCHAR(64) NOT NULL, 
	playbook JSON NOT NULL, 
	mode VARCHAR(40) NOT NULL, 
	direction VARCHAR(40) NOT NULL, 
	by_hand BOOLEAN NOT NULL, 
	unattended BOOLEAN NOT NULL, 
	inputs JSON NOT NULL, 
	lock_keys JSON NOT NULL, 
	tokens JSON NOT NULL, 
	pair_id VARCHAR(36), 
	digest VARCHAR(64) NOT NULL, 
	starter VARCHAR(80) NOT NULL, 
	author VARCHAR(80) NOT NULL, 
	state VARCHAR(40) NOT NULL, 
	ended VARCHAR(40), 
	end_reason JSON NOT NULL, 
	needs_approval BOOLEAN NOT NULL, 
	paused VARCHAR(40), 
	pause_reason JSON NOT NULL, 
	aborting BOOLEAN NOT NULL, 
	abort_reason JSON NOT NULL, 
	undoing BOOLEAN NOT NULL, 
	real BOOLEAN NOT NULL, 
	planned_at DATETIME NOT NULL, 
	latest_start_at DATETIME, 
	latest_end_at DATETIME, 
	queued_at DATETIME, 
	alarm_at DATETIME, 
	started_at DATETIME, 
	served_at DATETIME, 
	ended_at DATETIME, 
	verdict VARCHAR(40), 
	verdict_reason JSON NOT NULL, 
	rta_ms INTEGER, 
	rpa_ms INTEGER, 
	decision_ms INTEGER, 
	technical_ms INTEGER, 
	proven JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_run PRIMARY KEY (id), 
	CONSTRAINT fk_run_drill_id_drill FOREIGN KEY(drill_id) REFERENCES drill (id), 
	CONSTRAINT fk_run_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id), 
	CONSTRAINT fk_run_service_id_service FOREIGN KEY(service_id) REFERENCES service (id), 
	CONSTRAINT uq_run_drill_id_nominal UNIQUE (drill_id, nominal), 
	CONSTRAINT uq_run_ref UNIQUE (ref)
);
INSERT INTO "run" VALUES('01a20950-fc16-7d66-9715-a74d1ca1f8b8','RUN-001','01a20950-fb42-7883-a3e0-0c00e80fb887',NULL,NULL,'plan','version',1,'service','test-old','01a20950-fb2e-7fe9-94a1-230ba6af1285','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','{"playbook": "test-old", "title": {"nl": "test-old", "en": "test-old"}, "modes": ["live"], "inputs": {"pair": {"type": "environment-pair"}}, "goals": {}, "locks": ["pair"], "proves": {}, "guards": [], "injects": [], "steps": [{"id": "one", "needs": [], "uses": "slow.observable", "with": {"folder": "/tmp/wissel-run-of-old-code", "name": "one"}, "timeout": "PT1M", "on_failure": "ask", "irreversible": true, "point_of_no_return": false, "starts_outage": false, "ends_outage": false, "evidence": "optional", "options": {}, "quorum": 1}, {"id": "ask", "needs": ["one"], "ask": {"nl": "Werkt het?", "en": "Does it work?"}, "with": {}, "timeout": "P365D", "on_failure": "ask", "irreversible": false, "point_of_no_return": false, "starts_outage": false, "ends_outage": false, "role": "operator", "evidence": "optional", "options": {}, "quorum": 1}, {"id": "two", "needs": ["ask"], "uses": "slow.observable", "with": {"folder": "/tmp/wissel-run-of-old-code", "name": "two"}, "timeout": "PT1M", "on_failure": "ask", "irreversible": true, "point_of_no_return": true, "starts_outage": false, "ends_outage": false, "evidence": "optional", "options": {}, "quorum": 1}]}','live','none',0,0,'{"pair": {"name": "PAIR-001", "primary": {"site": "dc-primary", "dsn": null, "data_directory": null, "binaries": null, "health": null, "slot": null}, "fallback": {"site": "dc-fallback", "dsn": null, "data_directory": null, "binaries": null, "health": null, "slot": null}, "service": "http://127.0.0.1:1/", "proxy": null}}','["environment:fallback", "environment:primary"]','{"environment:fallback": 1, "environment:primary": 1}','pair','847799b0f29087014c117ceab8cdc20fd3d0e118b0de4b3cc963b1d5e4fd90df','person:operator','author','waiting for a person',NULL,'{}',1,NULL,'{}',0,'{}',0,0,'2026-11-23 16:50:31.839951','2026-12-07 16:50:31.839951',NULL,'2026-11-23 16:50:31.839951',NULL,'2026-11-23 16:50:31.839951',NULL,NULL,NULL,'{}',NULL,NULL,NULL,NULL,'[]','2026-11-23 16:50:31.839951',9);
CREATE TABLE run_answer (
	id VARCHAR(36) NOT NULL, 
	run_id VARCHAR(36) NOT NULL, 
	step_run_id VARCHAR(36) NOT NULL, 
	attempt INTEGER NOT NULL, 
	person VARCHAR(80) NOT NULL, 
	option VARCHAR(60) NOT NULL, 
	comment VARCHAR(2000) NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_run_answer PRIMARY KEY (id), 
	CONSTRAINT fk_run_answer_run_id_run FOREIGN KEY(run_id) REFERENCES run (id), 
	CONSTRAINT fk_run_answer_step_run_id_step_run FOREIGN KEY(step_run_id) REFERENCES step_run (id), 
	CONSTRAINT uq_run_answer_step_run_id_attempt_person UNIQUE (step_run_id, attempt, person)
);
CREATE TABLE run_approval (
	id VARCHAR(36) NOT NULL, 
	drill_id VARCHAR(36) NOT NULL, 
	run_id VARCHAR(36), 
	digest VARCHAR(64) NOT NULL, 
	person_id VARCHAR(36) NOT NULL, 
	as_owner BOOLEAN NOT NULL, 
	verdict VARCHAR(40) NOT NULL, 
	comment VARCHAR(2000) NOT NULL, 
	at DATETIME NOT NULL, 
	valid_from DATETIME NOT NULL, 
	valid_until DATETIME NOT NULL, 
	revoked_at DATETIME, 
	used_at DATETIME, 
	CONSTRAINT pk_run_approval PRIMARY KEY (id), 
	CONSTRAINT fk_run_approval_drill_id_drill FOREIGN KEY(drill_id) REFERENCES drill (id), 
	CONSTRAINT fk_run_approval_person_id_person FOREIGN KEY(person_id) REFERENCES person (id), 
	CONSTRAINT fk_run_approval_run_id_run FOREIGN KEY(run_id) REFERENCES run (id)
);
INSERT INTO "run_approval" VALUES('01a20950-fcc5-730c-9130-faf09c1abc21','01a20950-fb42-7883-a3e0-0c00e80fb887','01a20950-fc16-7d66-9715-a74d1ca1f8b8','847799b0f29087014c117ceab8cdc20fd3d0e118b0de4b3cc963b1d5e4fd90df','approver',0,'approved','','2026-11-23 16:50:31.839951','2026-11-23 16:50:31.839951','2027-11-24 16:50:31.839951',NULL,'2026-11-23 16:50:31.839951');
INSERT INTO "run_approval" VALUES('01a20951-00da-73cc-b553-6227f14d8121','01a20950-fb42-7883-a3e0-0c00e80fb887','01a20950-fc16-7d66-9715-a74d1ca1f8b8','847799b0f29087014c117ceab8cdc20fd3d0e118b0de4b3cc963b1d5e4fd90df','owner',1,'approved','','2026-11-23 16:50:31.839951','2026-11-23 16:50:31.839951','2027-11-24 16:50:31.839951',NULL,'2026-11-23 16:50:31.839951');
CREATE TABLE run_decision (
	id VARCHAR(36) NOT NULL, 
	run_id VARCHAR(36) NOT NULL, 
	step_id VARCHAR(40), 
	question JSON NOT NULL, 
	options JSON NOT NULL, 
	chosen VARCHAR(60) NOT NULL, 
	decider VARCHAR(200) NOT NULL, 
	mandate VARCHAR(200) NOT NULL, 
	reason VARCHAR(2000) NOT NULL, 
	at DATETIME NOT NULL, 
	reversible BOOLEAN NOT NULL, 
	CONSTRAINT pk_run_decision PRIMARY KEY (id), 
	CONSTRAINT fk_run_decision_run_id_run FOREIGN KEY(run_id) REFERENCES run (id)
);
CREATE TABLE run_event (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run_id VARCHAR(36) NOT NULL, 
	at DATETIME NOT NULL, 
	kind VARCHAR(60) NOT NULL, 
	step_id VARCHAR(40), 
	actor VARCHAR(80) NOT NULL, 
	detail JSON NOT NULL, 
	CONSTRAINT fk_run_event_run_id_run FOREIGN KEY(run_id) REFERENCES run (id)
);
INSERT INTO "run_event" VALUES(1,'01a20950-fc16-7d66-9715-a74d1ca1f8b8','2026-11-23 16:50:31.839951','run.planned',NULL,'person:operator','{"by": "person"}');
INSERT INTO "run_event" VALUES(2,'01a20950-fc16-7d66-9715-a74d1ca1f8b8','2026-11-23 16:50:31.839951','approval.approved',NULL,'person:approver','{"comment": ""}');
INSERT INTO "run_event" VALUES(3,'01a20950-fc16-7d66-9715-a74d1ca1f8b8','2026-11-23 16:50:31.839951','approval.approved',NULL,'person:owner','{"comment": ""}');
INSERT INTO "run_event" VALUES(4,'01a20950-fc16-7d66-9715-a74d1ca1f8b8','2026-11-23 16:50:31.839951','run.started',NULL,'person:owner','{}');
INSERT INTO "run_event" VALUES(5,'01a20950-fc16-7d66-9715-a74d1ca1f8b8','2026-11-23 16:50:31.839951','step.ready','one','system','{}');
INSERT INTO "run_event" VALUES(6,'01a20950-fc16-7d66-9715-a74d1ca1f8b8','2026-11-23 16:50:33.753752','step.started','one','system','{"call": "run", "attempt": 1}');
INSERT INTO "run_event" VALUES(7,'01a20950-fc16-7d66-9715-a74d1ca1f8b8','2026-11-23 16:50:35.841918','step.succeeded','one','system','{"reason": {"nl": "Zo is het.", "en": "So it is."}}');
INSERT INTO "run_event" VALUES(8,'01a20950-fc16-7d66-9715-a74d1ca1f8b8','2026-11-23 16:50:35.841918','step.opened','ask','system','{"dueAt": "2027-11-23T16:50:35.841918Z"}');
CREATE TABLE run_observation (
	id VARCHAR(36) NOT NULL, 
	run_id VARCHAR(36) NOT NULL, 
	"by" VARCHAR(80) NOT NULL, 
	at DATETIME NOT NULL, 
	objective VARCHAR(200) NOT NULL, 
	text VARCHAR(20000) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	CONSTRAINT pk_run_observation PRIMARY KEY (id), 
	CONSTRAINT fk_run_observation_run_id_run FOREIGN KEY(run_id) REFERENCES run (id)
);
CREATE TABLE seen_fact (
	id VARCHAR(36) NOT NULL, 
	run_id VARCHAR(36) NOT NULL, 
	fact VARCHAR(300) NOT NULL, 
	holds BOOLEAN NOT NULL, 
	at DATETIME NOT NULL, 
	step_id VARCHAR(40) NOT NULL, 
	signed_by VARCHAR(80), 
	CONSTRAINT pk_seen_fact PRIMARY KEY (id), 
	CONSTRAINT fk_seen_fact_run_id_run FOREIGN KEY(run_id) REFERENCES run (id), 
	CONSTRAINT uq_seen_fact_run_id_fact UNIQUE (run_id, fact)
);
CREATE TABLE service (
	id VARCHAR(36) NOT NULL, 
	ref VARCHAR(20) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	twin_key VARCHAR(64), 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	archived_at DATETIME, 
	revision INTEGER NOT NULL, 
	description VARCHAR NOT NULL, 
	process_owner VARCHAR(200) NOT NULL, 
	service_owner VARCHAR(200) NOT NULL, 
	unit VARCHAR(200) NOT NULL, 
	function_supported VARCHAR(500) NOT NULL, 
	criticality VARCHAR(40) NOT NULL, 
	criticality_reason VARCHAR NOT NULL, 
	assessed_on DATE, 
	mtpd BIGINT, 
	rto BIGINT, 
	rpo BIGINT, 
	mbco_number FLOAT, 
	mbco_unit VARCHAR(100) NOT NULL, 
	impact_over_time JSON NOT NULL, 
	reliance VARCHAR(40) NOT NULL, 
	data_sensitivity VARCHAR(40) NOT NULL, 
	country_at_rest VARCHAR(7) NOT NULL, 
	country_processing VARCHAR(7) NOT NULL, 
	substitutability VARCHAR(40) NOT NULL, 
	substitutability_reason VARCHAR NOT NULL, 
	reintegration VARCHAR(40) NOT NULL, 
	alternatives_identified VARCHAR(40) NOT NULL, 
	alternatives VARCHAR NOT NULL, 
	exit_plan_exists BOOLEAN NOT NULL, 
	last_audit_on DATE, 
	CONSTRAINT pk_service PRIMARY KEY (id), 
	CONSTRAINT uq_service_ref UNIQUE (ref), 
	CONSTRAINT uq_service_twin_key UNIQUE (twin_key)
);
INSERT INTO "service" VALUES('service','SVC-001','Vergunningen',NULL,'2027-01-10 10:00:00.000000','2027-01-10 10:00:00.000000',NULL,1,'','owner','','','','not_assessed','',NULL,NULL,NULL,NULL,NULL,'','[]','unknown','unknown','unknown','unknown','unknown','','unknown','unknown','',0,NULL);
CREATE TABLE service_dependency (
	service_id VARCHAR(36) NOT NULL, 
	depends_on_id VARCHAR(36) NOT NULL, 
	CONSTRAINT pk_service_dependency PRIMARY KEY (service_id, depends_on_id), 
	CONSTRAINT fk_service_dependency_depends_on_id_service FOREIGN KEY(depends_on_id) REFERENCES service (id), 
	CONSTRAINT fk_service_dependency_service_id_service FOREIGN KEY(service_id) REFERENCES service (id)
);
CREATE TABLE sign_in_link (
	token_hash VARCHAR(64) NOT NULL, 
	person_id VARCHAR(36) NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	used_at DATETIME, 
	CONSTRAINT pk_sign_in_link PRIMARY KEY (token_hash), 
	CONSTRAINT fk_sign_in_link_person_id_person FOREIGN KEY(person_id) REFERENCES person (id)
);
CREATE TABLE site (
	id VARCHAR(36) NOT NULL, 
	ref VARCHAR(20) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	twin_key VARCHAR(64), 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	archived_at DATETIME, 
	revision INTEGER NOT NULL, 
	supplier_id VARCHAR(36), 
	country VARCHAR(7) NOT NULL, 
	address VARCHAR(500) NOT NULL, 
	capacity JSON NOT NULL, 
	CONSTRAINT pk_site PRIMARY KEY (id), 
	CONSTRAINT fk_site_supplier_id_supplier FOREIGN KEY(supplier_id) REFERENCES supplier (id), 
	CONSTRAINT uq_site_ref UNIQUE (ref), 
	CONSTRAINT uq_site_twin_key UNIQUE (twin_key)
);
INSERT INTO "site" VALUES('site-primary','SIT-001','dc-primary',NULL,'2027-01-10 10:00:00.000000','2027-01-10 10:00:00.000000',NULL,1,NULL,'unknown','','[]');
INSERT INTO "site" VALUES('site-fallback','SIT-002','dc-fallback',NULL,'2027-01-10 10:00:00.000000','2027-01-10 10:00:00.000000',NULL,1,NULL,'unknown','','[]');
CREATE TABLE stay (
	id VARCHAR(36) NOT NULL, 
	pair_id VARCHAR(36) NOT NULL, 
	service_id VARCHAR(36), 
	plan_id VARCHAR(36) NOT NULL, 
	side VARCHAR(20) NOT NULL, 
	run_id VARCHAR(36) NOT NULL, 
	since DATETIME NOT NULL, 
	ended_at DATETIME, 
	ended_by VARCHAR(36), 
	every_s INTEGER NOT NULL, 
	looks INTEGER NOT NULL, 
	misses INTEGER NOT NULL, 
	looked_at DATETIME, 
	longest_gap_ms INTEGER NOT NULL, 
	least_level FLOAT, 
	CONSTRAINT pk_stay PRIMARY KEY (id), 
	CONSTRAINT fk_stay_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id), 
	CONSTRAINT fk_stay_run_id_run FOREIGN KEY(run_id) REFERENCES run (id), 
	CONSTRAINT fk_stay_service_id_service FOREIGN KEY(service_id) REFERENCES service (id)
);
CREATE TABLE stay_look (
	id VARCHAR(36) NOT NULL, 
	stay_id VARCHAR(36) NOT NULL, 
	at DATETIME NOT NULL, 
	verdict VARCHAR(40) NOT NULL, 
	level FLOAT, 
	"by" VARCHAR(80) NOT NULL, 
	CONSTRAINT pk_stay_look PRIMARY KEY (id), 
	CONSTRAINT fk_stay_look_stay_id_stay FOREIGN KEY(stay_id) REFERENCES stay (id)
);
CREATE TABLE step_run (
	id VARCHAR(36) NOT NULL, 
	run_id VARCHAR(36) NOT NULL, 
	step_id VARCHAR(40) NOT NULL, 
	position INTEGER NOT NULL, 
	state VARCHAR(40) NOT NULL, 
	before_undo VARCHAR(40), 
	call VARCHAR(40) NOT NULL, 
	attempt INTEGER NOT NULL, 
	generation INTEGER NOT NULL, 
	tries INTEGER NOT NULL, 
	takeovers INTEGER NOT NULL, 
	site VARCHAR(200) NOT NULL, 
	driver JSON NOT NULL, 
	effect VARCHAR(40), 
	boot_id VARCHAR(80), 
	executor VARCHAR(200), 
	ready_at DATETIME, 
	intent_at DATETIME, 
	first_intent_at DATETIME, 
	"order" INTEGER NOT NULL, 
	intended BOOLEAN NOT NULL, 
	absent BOOLEAN NOT NULL, 
	crashed BOOLEAN NOT NULL, 
	opened_at DATETIME, 
	due_at DATETIME, 
	retry_at DATETIME, 
	finished_at DATETIME, 
	effective_at DATETIME, 
	verdict VARCHAR(40), 
	outcome JSON NOT NULL, 
	chosen VARCHAR(60), 
	"by" VARCHAR(80), 
	comment VARCHAR(2000) NOT NULL, 
	progress JSON NOT NULL, 
	log VARCHAR NOT NULL, 
	CONSTRAINT pk_step_run PRIMARY KEY (id), 
	CONSTRAINT fk_step_run_run_id_run FOREIGN KEY(run_id) REFERENCES run (id), 
	CONSTRAINT uq_step_run_run_id_step_id UNIQUE (run_id, step_id)
);
INSERT INTO "step_run" VALUES('01a20950-fc34-7010-a2f7-dfd971652c58','01a20950-fc16-7d66-9715-a74d1ca1f8b8','one',0,'succeeded',NULL,'run',1,1,1,0,'orchestrator','{"runner": "slow.observable", "effect": "changes", "repeat": "observable", "probe": false, "provides": [], "requires": [], "sides": [], "undo": null, "site": "orchestrator"}','changes','01a20950-f863-7e95-a990-cbe5bb204707','vm:14825:01a20950-f863-7e95-a990-cbe5bb204707','2026-11-23 16:50:31.839951','2026-11-23 16:50:33.753752','2026-11-23 16:50:33.753752',1,1,0,0,NULL,NULL,NULL,'2026-11-23 16:50:35.841918',NULL,'passed','{"verdict": "passed", "reason": {"nl": "Zo is het.", "en": "So it is."}, "measurements": [], "effective_at": null, "needed_supplier": false, "warning": false}',NULL,NULL,'','{}','');
INSERT INTO "step_run" VALUES('01a20950-fc34-722d-9d46-e7890de87aac','01a20950-fc16-7d66-9715-a74d1ca1f8b8','ask',1,'waiting',NULL,'run',1,1,0,0,'orchestrator','{}',NULL,NULL,NULL,NULL,NULL,NULL,0,0,0,0,'2026-11-23 16:50:35.841918','2027-11-23 16:50:35.841918',NULL,NULL,NULL,NULL,'{}',NULL,NULL,'','{}','');
INSERT INTO "step_run" VALUES('01a20950-fc34-7274-9fd8-a2acfa15c2b0','01a20950-fc16-7d66-9715-a74d1ca1f8b8','two',2,'not started',NULL,'run',0,1,0,0,'orchestrator','{"runner": "slow.observable", "effect": "changes", "repeat": "observable", "probe": false, "provides": [], "requires": [], "sides": [], "undo": null, "site": "orchestrator"}','changes',NULL,NULL,NULL,NULL,NULL,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,'{}',NULL,NULL,'','{}','');
CREATE TABLE supplier (
	id VARCHAR(36) NOT NULL, 
	ref VARCHAR(20) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	twin_key VARCHAR(64), 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	archived_at DATETIME, 
	revision INTEGER NOT NULL, 
	code VARCHAR(60), 
	code_type VARCHAR(40), 
	has_parent VARCHAR(40) NOT NULL, 
	ultimate_parent_id VARCHAR(36), 
	country VARCHAR(7) NOT NULL, 
	watch_level VARCHAR(40) NOT NULL, 
	watch_reason VARCHAR NOT NULL, 
	watch_since DATE, 
	signals JSON NOT NULL, 
	assurance_reports JSON NOT NULL, 
	own_review_on DATE, 
	CONSTRAINT pk_supplier PRIMARY KEY (id), 
	CONSTRAINT fk_supplier_ultimate_parent_id_supplier FOREIGN KEY(ultimate_parent_id) REFERENCES supplier (id), 
	CONSTRAINT uq_supplier_ref UNIQUE (ref), 
	CONSTRAINT uq_supplier_twin_key UNIQUE (twin_key)
);
CREATE TABLE supply_chain_link (
	id VARCHAR(36) NOT NULL, 
	ref VARCHAR(20) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	twin_key VARCHAR(64), 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	archived_at DATETIME, 
	revision INTEGER NOT NULL, 
	service_id VARCHAR(36) NOT NULL, 
	supplier_id VARCHAR(36) NOT NULL, 
	recipient_id VARCHAR(36), 
	country VARCHAR(7) NOT NULL, 
	role VARCHAR(500) NOT NULL, 
	rank INTEGER NOT NULL, 
	CONSTRAINT pk_supply_chain_link PRIMARY KEY (id), 
	CONSTRAINT fk_supply_chain_link_recipient_id_supplier FOREIGN KEY(recipient_id) REFERENCES supplier (id), 
	CONSTRAINT fk_supply_chain_link_service_id_service FOREIGN KEY(service_id) REFERENCES service (id), 
	CONSTRAINT fk_supply_chain_link_supplier_id_supplier FOREIGN KEY(supplier_id) REFERENCES supplier (id), 
	CONSTRAINT uq_supply_chain_link_ref UNIQUE (ref), 
	CONSTRAINT uq_supply_chain_link_twin_key UNIQUE (twin_key)
);
CREATE TABLE user_session (
	id VARCHAR(36) NOT NULL, 
	token_hash VARCHAR(64) NOT NULL, 
	person_id VARCHAR(36) NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	csrf VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	CONSTRAINT pk_user_session PRIMARY KEY (id), 
	CONSTRAINT fk_user_session_person_id_person FOREIGN KEY(person_id) REFERENCES person (id), 
	CONSTRAINT uq_user_session_token_hash UNIQUE (token_hash)
);
CREATE TABLE weakening (
	id VARCHAR(36) NOT NULL, 
	plan_id VARCHAR(36) NOT NULL, 
	plan_version_id VARCHAR(36), 
	claim_key VARCHAR(100), 
	kind VARCHAR(40) NOT NULL, 
	"before" VARCHAR(500) NOT NULL, 
	"after" VARCHAR(500) NOT NULL, 
	reason VARCHAR NOT NULL, 
	requested_by VARCHAR(80) NOT NULL, 
	requested_at DATETIME NOT NULL, 
	approver_id VARCHAR(36), 
	approved_at DATETIME, 
	refused_at DATETIME, 
	CONSTRAINT pk_weakening PRIMARY KEY (id), 
	CONSTRAINT fk_weakening_approver_id_person FOREIGN KEY(approver_id) REFERENCES person (id), 
	CONSTRAINT fk_weakening_plan_id_plan FOREIGN KEY(plan_id) REFERENCES "plan" (id), 
	CONSTRAINT fk_weakening_plan_version_id_plan_version FOREIGN KEY(plan_version_id) REFERENCES plan_version (id)
);
CREATE TABLE worker_lease (
	boot_id VARCHAR(36) NOT NULL, 
	host VARCHAR NOT NULL, 
	pid INTEGER NOT NULL, 
	sites VARCHAR NOT NULL, 
	started_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	CONSTRAINT pk_worker_lease PRIMARY KEY (boot_id)
);
INSERT INTO "worker_lease" VALUES('01a20950-f863-7e95-a990-cbe5bb204707','vm',14825,'*','2026-11-23 16:50:31.139944','2026-11-23 16:50:49.836417','2026-11-23 16:50:36.801572');
CREATE INDEX ix_audit_event_actor ON audit_event (actor);
CREATE INDEX ix_audit_event_at ON audit_event (at);
CREATE INDEX ix_audit_event_object_id ON audit_event (object_id);
CREATE INDEX ix_catalog_change_at ON catalog_change (at);
CREATE INDEX ix_catalog_change_row_id ON catalog_change (row_id);
CREATE INDEX ix_environment_lock_run_id ON environment_lock (run_id);
CREATE INDEX ix_service_archived_at ON service (archived_at);
CREATE INDEX ix_service_created_at ON service (created_at);
CREATE INDEX ix_service_criticality ON service (criticality);
CREATE INDEX ix_service_name ON service (name);
CREATE INDEX ix_service_unit ON service (unit);
CREATE INDEX ix_supplier_archived_at ON supplier (archived_at);
CREATE INDEX ix_supplier_country ON supplier (country);
CREATE INDEX ix_supplier_created_at ON supplier (created_at);
CREATE INDEX ix_supplier_name ON supplier (name);
CREATE INDEX ix_supplier_ultimate_parent_id ON supplier (ultimate_parent_id);
CREATE INDEX ix_supplier_watch_level ON supplier (watch_level);
CREATE INDEX ix_worker_lease_expires_at ON worker_lease (expires_at);
CREATE INDEX ix_blackout_ends_at ON blackout (ends_at);
CREATE INDEX ix_blackout_service_id ON blackout (service_id);
CREATE INDEX ix_blackout_starts_at ON blackout (starts_at);
CREATE INDEX ix_contract_archived_at ON contract (archived_at);
CREATE INDEX ix_contract_created_at ON contract (created_at);
CREATE INDEX ix_contract_name ON contract (name);
CREATE INDEX ix_contract_overarching_id ON contract (overarching_id);
CREATE INDEX ix_contract_supplier_id ON contract (supplier_id);
CREATE INDEX ix_machine_token_created_by ON machine_token (created_by);
CREATE INDEX ix_playbook_version_author_id ON playbook_version (author_id);
CREATE INDEX ix_playbook_version_name ON playbook_version (name);
CREATE INDEX ix_playbook_version_reviewer_id ON playbook_version (reviewer_id);
CREATE INDEX ix_playbook_version_sha256 ON playbook_version (sha256);
CREATE INDEX ix_playbook_version_state ON playbook_version (state);
CREATE INDEX ix_service_dependency_depends_on_id ON service_dependency (depends_on_id);
CREATE INDEX ix_sign_in_link_person_id ON sign_in_link (person_id);
CREATE INDEX ix_site_archived_at ON site (archived_at);
CREATE INDEX ix_site_country ON site (country);
CREATE INDEX ix_site_created_at ON site (created_at);
CREATE INDEX ix_site_name ON site (name);
CREATE INDEX ix_site_supplier_id ON site (supplier_id);
CREATE INDEX ix_supply_chain_link_archived_at ON supply_chain_link (archived_at);
CREATE INDEX ix_supply_chain_link_created_at ON supply_chain_link (created_at);
CREATE INDEX ix_supply_chain_link_name ON supply_chain_link (name);
CREATE INDEX ix_supply_chain_link_recipient_id ON supply_chain_link (recipient_id);
CREATE INDEX ix_supply_chain_link_service_id ON supply_chain_link (service_id);
CREATE INDEX ix_supply_chain_link_supplier_id ON supply_chain_link (supplier_id);
CREATE INDEX ix_user_session_person_id ON user_session (person_id);
CREATE INDEX ix_contract_service_service_id ON contract_service (service_id);
CREATE INDEX ix_environment_archived_at ON environment (archived_at);
CREATE INDEX ix_environment_created_at ON environment (created_at);
CREATE INDEX ix_environment_name ON environment (name);
CREATE INDEX ix_environment_service_id ON environment (service_id);
CREATE INDEX ix_environment_site_id ON environment (site_id);
CREATE INDEX ix_environment_supplier_id ON environment (supplier_id);
CREATE INDEX ix_measure_archived_at ON measure (archived_at);
CREATE INDEX ix_measure_contract_id ON measure (contract_id);
CREATE INDEX ix_measure_created_at ON measure (created_at);
CREATE INDEX ix_measure_kind ON measure (kind);
CREATE INDEX ix_measure_name ON measure (name);
CREATE INDEX ix_measure_present ON measure (present);
CREATE INDEX ix_object_archived_at ON object (archived_at);
CREATE INDEX ix_object_created_at ON object (created_at);
CREATE INDEX ix_object_expires_on ON object (expires_on);
CREATE INDEX ix_object_holder ON object (holder);
CREATE INDEX ix_object_kind ON object (kind);
CREATE INDEX ix_object_name ON object (name);
CREATE INDEX ix_object_site_id ON object (site_id);
CREATE INDEX ix_object_supplier_id ON object (supplier_id);
CREATE INDEX ix_plan_archived_at ON "plan" (archived_at);
CREATE INDEX ix_plan_contract_id ON "plan" (contract_id);
CREATE INDEX ix_plan_created_at ON "plan" (created_at);
CREATE INDEX ix_plan_kind ON "plan" (kind);
CREATE INDEX ix_plan_name ON "plan" (name);
CREATE INDEX ix_plan_owner_id ON "plan" (owner_id);
CREATE INDEX ix_plan_service_id ON "plan" (service_id);
CREATE INDEX ix_plan_status ON "plan" (status);
CREATE INDEX ix_environment_pair_archived_at ON environment_pair (archived_at);
CREATE INDEX ix_environment_pair_created_at ON environment_pair (created_at);
CREATE INDEX ix_environment_pair_fallback_id ON environment_pair (fallback_id);
CREATE INDEX ix_environment_pair_name ON environment_pair (name);
CREATE INDEX ix_environment_pair_primary_id ON environment_pair (primary_id);
CREATE INDEX ix_environment_pair_service_id ON environment_pair (service_id);
CREATE INDEX ix_finding_cause ON finding (cause);
CREATE INDEX ix_finding_due_on ON finding (due_on);
CREATE INDEX ix_finding_key ON finding ("key");
CREATE INDEX ix_finding_opened_at ON finding (opened_at);
CREATE INDEX ix_finding_owner_id ON finding (owner_id);
CREATE INDEX ix_finding_plan_id ON finding (plan_id);
CREATE INDEX ix_finding_run_id ON finding (run_id);
CREATE INDEX ix_finding_service_id ON finding (service_id);
CREATE INDEX ix_finding_severity ON finding (severity);
CREATE INDEX ix_finding_source ON finding (source);
CREATE INDEX ix_finding_state ON finding (state);
CREATE INDEX ix_missed_test_at ON missed_test (at);
CREATE INDEX ix_missed_test_plan_id ON missed_test (plan_id);
CREATE INDEX ix_mvo_created_at ON mvo (created_at);
CREATE INDEX ix_mvo_name ON mvo (name);
CREATE INDEX ix_mvo_plan_id ON mvo (plan_id);
CREATE INDEX ix_object_service_service_id ON object_service (service_id);
CREATE INDEX ix_plan_status_change_at ON plan_status_change (at);
CREATE INDEX ix_plan_status_change_plan_id ON plan_status_change (plan_id);
CREATE INDEX ix_proof_at ON proof (at);
CREATE INDEX ix_proof_claim_key ON proof (claim_key);
CREATE INDEX ix_proof_plan_id ON proof (plan_id);
CREATE INDEX ix_proof_recorded_at ON proof (recorded_at);
CREATE INDEX ix_proof_run_id ON proof (run_id);
CREATE INDEX ix_acceptance_decided_by_id ON acceptance (decided_by_id);
CREATE INDEX ix_acceptance_finding_id ON acceptance (finding_id);
CREATE INDEX ix_acceptance_requested_by_id ON acceptance (requested_by_id);
CREATE INDEX ix_acceptance_state ON acceptance (state);
CREATE INDEX ix_acceptance_until ON acceptance (until);
CREATE INDEX ix_finding_action_finding_id ON finding_action (finding_id);
CREATE INDEX ix_finding_action_owner_id ON finding_action (owner_id);
CREATE INDEX ix_finding_transition_finding_id ON finding_transition (finding_id);
CREATE INDEX ix_home_side_change_at ON home_side_change (at);
CREATE INDEX ix_home_side_change_pair_id ON home_side_change (pair_id);
CREATE INDEX ix_mvo_version_approver_id ON mvo_version (approver_id);
CREATE INDEX ix_mvo_version_mvo_id ON mvo_version (mvo_id);
CREATE INDEX ix_plan_version_approved_at ON plan_version (approved_at);
CREATE INDEX ix_plan_version_approver_id ON plan_version (approver_id);
CREATE INDEX ix_plan_version_mvo_version_id ON plan_version (mvo_version_id);
CREATE INDEX ix_plan_version_plan_id ON plan_version (plan_id);
CREATE INDEX ix_plan_version_state ON plan_version (state);
CREATE INDEX ix_drill_next_due_at ON drill (next_due_at);
CREATE INDEX ix_drill_on_call_id ON drill (on_call_id);
CREATE INDEX ix_drill_owner_id ON drill (owner_id);
CREATE INDEX ix_drill_pair_id ON drill (pair_id);
CREATE INDEX ix_drill_partner_id ON drill (partner_id);
CREATE INDEX ix_drill_plan_id ON drill (plan_id);
CREATE INDEX ix_drill_plan_version_id ON drill (plan_version_id);
CREATE INDEX ix_drill_playbook_id ON drill (playbook_id);
CREATE INDEX ix_drill_service_id ON drill (service_id);
CREATE INDEX ix_plan_claim_plan_version_id ON plan_claim (plan_version_id);
CREATE INDEX ix_weakening_approver_id ON weakening (approver_id);
CREATE INDEX ix_weakening_plan_id ON weakening (plan_id);
CREATE INDEX ix_weakening_plan_version_id ON weakening (plan_version_id);
CREATE INDEX ix_drill_moment_drill_id ON drill_moment (drill_id);
CREATE INDEX ix_drill_moment_due_at ON drill_moment (due_at);
CREATE INDEX ix_drill_moment_run_id ON drill_moment (run_id);
CREATE INDEX ix_drill_moment_state ON drill_moment (state);
CREATE INDEX ix_run_digest ON run (digest);
CREATE INDEX ix_run_drill_id ON run (drill_id);
CREATE INDEX ix_run_ended_at ON run (ended_at);
CREATE INDEX ix_run_moment_id ON run (moment_id);
CREATE INDEX ix_run_pair_id ON run (pair_id);
CREATE INDEX ix_run_plan_id ON run (plan_id);
CREATE INDEX ix_run_planned_at ON run (planned_at);
CREATE INDEX ix_run_playbook_name ON run (playbook_name);
CREATE INDEX ix_run_service_id ON run (service_id);
CREATE INDEX ix_run_state ON run (state);
CREATE INDEX ix_guard_state_run_id ON guard_state (run_id);
CREATE INDEX ix_obligation_due_at ON obligation (due_at);
CREATE INDEX ix_obligation_run_id ON obligation (run_id);
CREATE INDEX ix_run_approval_digest ON run_approval (digest);
CREATE INDEX ix_run_approval_drill_id ON run_approval (drill_id);
CREATE INDEX ix_run_approval_person_id ON run_approval (person_id);
CREATE INDEX ix_run_approval_run_id ON run_approval (run_id);
CREATE INDEX ix_run_decision_run_id ON run_decision (run_id);
CREATE INDEX ix_run_event_run_id ON run_event (run_id);
CREATE INDEX ix_run_observation_run_id ON run_observation (run_id);
CREATE INDEX ix_seen_fact_run_id ON seen_fact (run_id);
CREATE INDEX ix_stay_pair_id ON stay (pair_id);
CREATE INDEX ix_stay_plan_id ON stay (plan_id);
CREATE INDEX ix_stay_run_id ON stay (run_id);
CREATE INDEX ix_stay_service_id ON stay (service_id);
CREATE INDEX ix_step_run_boot_id ON step_run (boot_id);
CREATE INDEX ix_step_run_due_at ON step_run (due_at);
CREATE INDEX ix_step_run_retry_at ON step_run (retry_at);
CREATE INDEX ix_step_run_run_id ON step_run (run_id);
CREATE INDEX ix_step_run_site ON step_run (site);
CREATE INDEX ix_step_run_state ON step_run (state);
CREATE INDEX ix_evidence_file_run_id ON evidence_file (run_id);
CREATE INDEX ix_evidence_file_sha256 ON evidence_file (sha256);
CREATE INDEX ix_evidence_file_step_run_id ON evidence_file (step_run_id);
CREATE INDEX ix_run_answer_run_id ON run_answer (run_id);
CREATE INDEX ix_run_answer_step_run_id ON run_answer (step_run_id);
CREATE INDEX ix_stay_look_stay_id ON stay_look (stay_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('run_event',8);
COMMIT;
