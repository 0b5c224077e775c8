//! What every page has around its content.

use askama::Template;

use crate::request::Visit;

/// The page's head and the bar with who is signed in.
pub(crate) struct Frame {
    pub(crate) title: String,
    /// The name of the user; empty of pages for nobody in particular.
    pub(crate) user: String,
    /// The account's id, with its alias if it has one.
    pub(crate) account: String,
    pub(crate) region: String,
    /// What forms carry.
    pub(crate) mark: String,
    /// The role that the user has switched to, by the name chosen for it.
    pub(crate) role: String,
    /// The room that the navigation marks.
    pub(crate) room: &'static str,
}

impl Frame {
    /// Of a page for somebody who is signed in.
    pub(crate) fn of(visit: &Visit, room: &'static str, title: impl Into<String>) -> Self {
        let session = &visit.session;
        let account = match &session.alias {
            Some(alias) => format!("{alias} ({})", session.account),
            None => session.account.clone(),
        };
        let role = session.role.as_ref().map(|(role, _)| {
            if role.display_name.is_empty() {
                format!("{} @ {}", role.role, role.account)
            } else {
                role.display_name.clone()
            }
        });
        Self {
            title: title.into(),
            user: session.user_name.clone(),
            account,
            region: visit.guest.region.clone(),
            mark: visit.guest.mark(),
            role: role.unwrap_or_default(),
            room,
        }
    }

    /// Of a page for whoever comes.
    pub(crate) fn open(title: &str, mark: String) -> Self {
        Self {
            title: title.to_owned(),
            user: String::new(),
            account: String::new(),
            region: String::new(),
            mark,
            role: String::new(),
            room: "",
        }
    }
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "notice.html")]
pub(crate) struct Notice {
    frame: Frame,
    message: String,
}

impl Notice {
    pub(crate) fn new(title: &str, message: &str) -> Self {
        Self {
            frame: Frame::open(title, String::new()),
            message: message.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use askama::Template as _;

    use super::Notice;

    #[test]
    fn what_templates_are_given_is_text() {
        let page = Notice::new("<title>", "<script>alert('1')</script> & \"x\"")
            .render()
            .unwrap();
        assert!(!page.contains("<script"), "{page}");
        assert!(
            page.contains("&#60;script&#62;") || page.contains("&lt;script&gt;"),
            "{page}"
        );
    }
}
