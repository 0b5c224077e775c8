//! Organizational units: made, named, moved between, deleted; and the tags of everything in the tree.

use serde_json::{Value, json};

use super::{OTHER, Organized, call, text};
use crate::scene::{allow, document};

#[test]
fn units_are_found_from_above_and_from_below() {
    let organized = Organized::new();
    let (root, id) = (organized.root_id.clone(), organized.id.clone());
    let outer = organized.unit(&root, "Outer");
    let inner = organized.unit(&outer, "Inner");
    let letters = root.trim_start_matches("r-");
    assert!(outer.starts_with(&format!("ou-{letters}-")), "{outer}");
    let shown = organized.ok(
        "DescribeOrganizationalUnit",
        json!({"OrganizationalUnitId": inner}),
    );
    let unit = &shown["OrganizationalUnit"];
    assert_eq!(unit["Path"], format!("{id}/{root}/{outer}/{inner}/"));
    assert!(text(&unit["Arn"]).ends_with(&format!(":ou/{id}/{inner}")));
    let children = json!({"ParentId": outer, "ChildType": "ORGANIZATIONAL_UNIT"});
    assert_eq!(
        organized.ok("ListChildren", children)["Children"],
        json!([{"Id": inner, "Type": "ORGANIZATIONAL_UNIT"}])
    );
    assert_eq!(
        organized.ok("ListParents", json!({"ChildId": outer}))["Parents"],
        json!([{"Id": root, "Type": "ROOT"}])
    );
    assert_eq!(
        organized.ok("ListParents", json!({"ChildId": inner}))["Parents"],
        json!([{"Id": outer, "Type": "ORGANIZATIONAL_UNIT"}])
    );
    let units = organized.ok("ListOrganizationalUnitsForParent", json!({"ParentId": root}));
    assert_eq!(units["OrganizationalUnits"][0]["Name"], "Outer");
}

#[test]
fn names_are_taken_once_below_a_parent() {
    let organized = Organized::new();
    let outer = organized.unit(&organized.root_id, "Same");
    organized.unit(&outer, "Same");
    let again = json!({"ParentId": organized.root_id, "Name": "Same"});
    assert_eq!(
        organized.refused("CreateOrganizationalUnit", again),
        "DuplicateOrganizationalUnitException"
    );
    let other = organized.unit(&organized.root_id, "Other");
    let rename = |name: &str| json!({"OrganizationalUnitId": other, "Name": name});
    assert_eq!(
        organized.refused("UpdateOrganizationalUnit", rename("Same")),
        "DuplicateOrganizationalUnitException"
    );
    let renamed = organized.ok("UpdateOrganizationalUnit", rename("Third"));
    assert_eq!(renamed["OrganizationalUnit"]["Name"], "Third");
    assert_eq!(renamed["OrganizationalUnit"]["Id"], other);
}

#[test]
fn the_tree_is_five_levels_deep() {
    let organized = Organized::new();
    let mut parent = organized.root_id.clone();
    for level in 1..=5 {
        parent = organized.unit(&parent, &format!("Level {level}"));
    }
    let deeper = json!({"ParentId": parent, "Name": "Level 6"});
    let failure = call(
        &organized.scene,
        &organized.scene.root,
        "CreateOrganizationalUnit",
        deeper,
    )
    .unwrap_err();
    assert_eq!(failure.code, "ConstraintViolationException");
    assert!(failure.message.contains("depth"), "{}", failure.message);
}

#[test]
fn a_unit_is_deleted_once_it_is_empty() {
    let organized = Organized::new();
    organized.invited(OTHER);
    let outer = organized.unit(&organized.root_id, "Outer");
    let inner = organized.unit(&outer, "Inner");
    let delete = |id: &str| json!({"OrganizationalUnitId": id});
    assert_eq!(
        organized.refused("DeleteOrganizationalUnit", delete(&outer)),
        "OrganizationalUnitNotEmptyException"
    );
    organized.ok("DeleteOrganizationalUnit", delete(&inner));
    let into =
        |from: &str, to: &str| json!({"AccountId": OTHER, "SourceParentId": from, "DestinationParentId": to});
    organized.ok("MoveAccount", into(&organized.root_id, &outer));
    assert_eq!(
        organized.refused("DeleteOrganizationalUnit", delete(&outer)),
        "OrganizationalUnitNotEmptyException"
    );
    organized.ok("MoveAccount", into(&outer, &organized.root_id));
    organized.ok("DeleteOrganizationalUnit", delete(&outer));
    let children = json!({"ParentId": organized.root_id, "ChildType": "ORGANIZATIONAL_UNIT"});
    assert_eq!(organized.ok("ListChildren", children)["Children"], json!([]));
    assert_eq!(
        organized.refused("DeleteOrganizationalUnit", delete(&outer)),
        "OrganizationalUnitNotFoundException"
    );
}

#[test]
fn accounts_move_between_parents() {
    let organized = Organized::new();
    organized.invited(OTHER);
    let (root, unit) = (
        organized.root_id.clone(),
        organized.unit(&organized.root_id, "Unit"),
    );
    let missing = format!("{unit}9");
    let into =
        |from: &str, to: &str| json!({"AccountId": OTHER, "SourceParentId": from, "DestinationParentId": to});
    for (input, code) in [
        (into(&missing, &unit), "SourceParentNotFoundException"),
        (into(&root, &missing), "DestinationParentNotFoundException"),
        (into(&root, &root), "DuplicateAccountException"),
        (into(&unit, &root), "DuplicateAccountException"),
    ] {
        assert_eq!(organized.refused("MoveAccount", input), code);
    }
    organized.ok("MoveAccount", into(&root, &unit));
    let below =
        |parent: &str| organized.ok("ListAccountsForParent", json!({"ParentId": parent}))["Accounts"].clone();
    assert_eq!(below(&unit)[0]["Id"], OTHER);
    assert_eq!(below(&root).as_array().unwrap().len(), 1);
    assert_eq!(
        organized.account(OTHER)["Paths"],
        json!([format!("{}/{root}/{unit}/{OTHER}/", organized.id)])
    );
    assert_eq!(
        organized.refused("MoveAccount", into(&root, &unit)),
        "DuplicateAccountException"
    );
    let third = organized.unit(&root, "Third");
    assert_eq!(
        organized.refused("MoveAccount", into(&root, &third)),
        "AccountNotFoundException"
    );
}

/// Moving asks for the account and for both parents, so that a policy can keep accounts out of a unit.
#[test]
fn moving_takes_permission_for_both_parents() {
    let organized = Organized::new();
    organized.invited(OTHER);
    let unit = organized.unit(&organized.root_id, "Unit");
    let mover = organized.scene.user("mover");
    let arn =
        |kind: &str, id: &str| format!("arn:aws:organizations::111122223333:{kind}/{}/{id}", organized.id);
    let grant = |resources: Value| {
        let text = document(
            &json!({"Effect": "Allow", "Action": "organizations:MoveAccount", "Resource": resources}),
        );
        let input = json!({"UserName": "mover", "PolicyName": "I", "PolicyDocument": text});
        organized.scene.root("PutUserPolicy", input);
    };
    let input = json!({"AccountId": OTHER, "SourceParentId": organized.root_id, "DestinationParentId": unit});
    let (account, root) = (arn("account", OTHER), arn("root", &organized.root_id));
    grant(json!([account, root]));
    let refused = call(&organized.scene, &mover, "MoveAccount", input.clone()).unwrap_err();
    assert_eq!(refused.code, "AccessDeniedException");
    assert!(refused.message.contains(&unit), "{}", refused.message);
    grant(json!([account, root, arn("ou", &unit)]));
    assert!(call(&organized.scene, &mover, "MoveAccount", input).is_ok());
}

#[test]
fn lists_come_in_pages() {
    let organized = Organized::new();
    for name in ["a", "b", "c"] {
        organized.unit(&organized.root_id, name);
    }
    let mut names = Vec::new();
    let mut token = Value::Null;
    loop {
        let mut input = json!({"ParentId": organized.root_id, "MaxResults": 1});
        if !token.is_null() {
            input["NextToken"] = token.clone();
        }
        let page = organized.ok("ListOrganizationalUnitsForParent", input);
        let units = page["OrganizationalUnits"].as_array().unwrap().clone();
        assert_eq!(units.len(), 1);
        names.push(text(&units[0]["Name"]));
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    names.sort();
    assert_eq!(names, ["a", "b", "c"]);
    let page = organized.ok(
        "ListOrganizationalUnitsForParent",
        json!({"ParentId": organized.root_id, "MaxResults": 1}),
    );
    let elsewhere = json!({"NextToken": page["NextToken"]});
    assert_eq!(
        organized.refused("ListAccounts", elsewhere),
        "InvalidInputException"
    );
}

#[test]
fn everything_in_the_tree_has_tags() {
    let organized = Organized::new();
    organized.invited(OTHER);
    let unit = organized.ok(
        "CreateOrganizationalUnit",
        json!({"ParentId": organized.root_id, "Name": "Unit", "Tags": [{"Key": "born", "Value": "with"}]}),
    );
    let unit = text(&unit["OrganizationalUnit"]["Id"]);
    for id in [&organized.root_id, &unit, &OTHER.to_owned()] {
        let listed = || {
            let tags = organized.ok("ListTagsForResource", json!({"ResourceId": id}))["Tags"].clone();
            let mut tags: Vec<String> = tags
                .as_array()
                .unwrap()
                .iter()
                .map(|tag| format!("{}={}", text(&tag["Key"]), text(&tag["Value"])))
                .collect();
            tags.retain(|tag| tag != "born=with");
            tags
        };
        let tag = |key: &str, value: &str| json!({"ResourceId": id, "Tags": [{"Key": key, "Value": value}]});
        organized.ok("TagResource", tag("team", "red"));
        organized.ok("TagResource", tag("Team", "blue"));
        organized.ok("TagResource", tag("team", "green"));
        assert_eq!(listed(), ["team=green", "Team=blue"], "keys differ by case");
        organized.ok(
            "UntagResource",
            json!({"ResourceId": id, "TagKeys": ["Team", "none"]}),
        );
        assert_eq!(listed(), ["team=green"]);
        assert_eq!(
            organized.refused("TagResource", tag("aws:x", "y")),
            "InvalidInputException"
        );
        let many: Vec<_> = (0..50)
            .map(|index| json!({"Key": index.to_string(), "Value": ""}))
            .collect();
        assert_eq!(
            organized.refused("TagResource", json!({"ResourceId": id, "Tags": many})),
            "ConstraintViolationException"
        );
    }
    assert_eq!(
        organized.refused("ListTagsForResource", json!({"ResourceId": "333344445555"})),
        "TargetNotFoundException"
    );
}

/// Tags of units bear on decisions, and making something with tags takes the permission to tag.
#[test]
fn tags_take_part_in_decisions() {
    let organized = Organized::new();
    let unit = organized.unit(&organized.root_id, "Unit");
    let worker = organized.scene.user("worker");
    let grant = |text: String| {
        let input = json!({"UserName": "worker", "PolicyName": "I", "PolicyDocument": text});
        organized.scene.root("PutUserPolicy", input);
    };
    grant(document(&json!({
        "Effect": "Allow", "Action": "organizations:DescribeOrganizationalUnit", "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/team": "red"}},
    })));
    let describe = || {
        call(
            &organized.scene,
            &worker,
            "DescribeOrganizationalUnit",
            json!({"OrganizationalUnitId": unit}),
        )
    };
    assert_eq!(describe().unwrap_err().code, "AccessDeniedException");
    organized.ok(
        "TagResource",
        json!({"ResourceId": unit, "Tags": [{"Key": "team", "Value": "red"}]}),
    );
    assert!(describe().is_ok());
    grant(allow("organizations:CreateOrganizationalUnit"));
    let make = |name: &str, tags: Value| {
        let input = json!({"ParentId": unit, "Name": name, "Tags": tags});
        call(&organized.scene, &worker, "CreateOrganizationalUnit", input)
    };
    assert!(make("Plain", json!([])).is_ok());
    let refused = make("Tagged", json!([{"Key": "a", "Value": "b"}])).unwrap_err();
    assert!(
        refused.message.contains("organizations:TagResource"),
        "{}",
        refused.message
    );
}
